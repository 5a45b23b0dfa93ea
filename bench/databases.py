"""A PostgreSQL of the bench's own: the one that the tests have, but as careful as one in use."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from bench.postgres import SUPPORT, be_durable


@contextmanager
def postgres() -> Generator[str]:
    """Yield the URL of a new, empty database."""
    sys.path.append(str(SUPPORT))
    import postgres_server  # noqa: PLC0415 - found since the line above

    with postgres_server.server() as url, postgres_server.database(url) as database:
        be_durable(url)
        yield database
