"""A PostgreSQL of the bench's own: the one that the tests have, but a careful one."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"


@contextmanager
def postgres() -> Generator[str]:
    """Yield the URL of a new, empty database."""
    sys.path.insert(0, str(SUPPORT))
    import postgres_server  # noqa: PLC0415 - found since the line above

    with postgres_server.server() as url, postgres_server.database(url) as database:
        yield database
