"""How the service's costs grow on PostgreSQL: a thousand full target groups beside one, on the same server."""

import os
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
from bench.figures import Figure
from bench.filling import FULL, group, now
from bench.service import CONNECTION, Load
from bench.timing import WARM_UPS, side_by_side
from bench.uploads import packed

from recontact_service.documents import default_document
from recontact_service.packed import ID_BYTES
from recontact_service.postgres_connection import PostgresConnection
from recontact_service.postgres_ids import PostgresIds
from recontact_service.postgres_store import PostgresStore
from recontact_service.running import running
from recontact_service.settings import Postgres, ServiceSettings
from recontact_service.values import TargetGroup, TargetGroupState

SUPPORT = Path(__file__).parents[1] / "tests" / "support"  # where the tests keep what starts a server
GROUPS = 1_000  # source: the issue "Remote", numbers
READS = 1_000
UPLOADS = 60
SPARES = range(GROUPS, GROUPS + WARM_UPS + UPLOADS)


def connected(database: Postgres) -> psycopg.Connection[Any]:
    return psycopg.connect(database.url, autocommit=True, options=f"-c search_path={database.schema}")


def fill(database: Postgres, *, groups: int, spares: Iterable[int]) -> float:
    """Make that many full target groups, and empty *spares*; return the bytes on disk for each ID.

    The chunks are copied in as an upload's last step copies them, without its job.
    """
    ids = packed(FULL)
    with closing(PostgresStore(database)) as store, closing(connected(database)) as connection:
        for number in (*range(groups), *spares):
            store.add_group(as_stored(number))
        for number in range(groups):
            fill_group(store, connection, number, ids)
        store.vacuum()
        connection.execute("CHECKPOINT")
        statement = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('id_chunks')"
        (size,) = connection.execute(statement).fetchone() or (0,)
    return float(size) / (groups * FULL)


def as_stored(number: int) -> TargetGroup:
    target = group(number)
    return TargetGroup(
        account_id=target.account_id,
        project_id=target.project_id,
        target_group_id=target.target_group_id,
        state=TargetGroupState.DRAFT,
        document=default_document(now()),
    )


def fill_group(store: PostgresStore, connection: psycopg.Connection[Any], number: int, ids: bytes) -> None:
    target = group(number)
    stored = store.find_group(target.target_group_id, account_id=target.account_id, project_id=target.project_id)
    assert stored
    with connection.transaction():
        PostgresIds(PostgresConnection(connection)).write_chunks(stored.number, old={}, ids=ids)
    assert store.read_page(stored.number, after=ids[-2 * ID_BYTES : -ID_BYTES], limit=2) == ids[-ID_BYTES:]


def be_durable(url: str) -> None:
    """Take back what makes a server that the tests start fast and careless; one that was named stays as it is."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")


async def measure(_folder: Path) -> list[Figure]:
    sys.path.append(str(SUPPORT))
    import postgres_server  # noqa: PLC0415 - found since the line above

    with ExitStack() as servers:
        url = servers.enter_context(postgres_server.server())
        databases = [Postgres(url=servers.enter_context(postgres_server.database(url))) for _ in range(2)]
        return await compare(url, databases[0], databases[1], named=postgres_server.NAMED in os.environ)


async def compare(url: str, small: Postgres, large: Postgres, *, named: bool) -> list[Figure]:
    fill(small, groups=1, spares=SPARES)
    start = time.perf_counter()
    size = fill(large, groups=GROUPS, spares=SPARES)
    filling = time.perf_counter() - start
    if not named:
        be_durable(url)
    clients = {CONNECTION.client_id: CONNECTION.client_secret}
    async with AsyncExitStack() as stack:
        one, many = [
            Load(
                await stack.enter_async_context(running(ServiceSettings(database=database, clients=clients))),
                groups=groups,
                spares=SPARES,
            )
            for database, groups in ((small, 1), (large, GROUPS))
        ]
        growth = {
            "page of 100": await side_by_side(many.page, one.page, rounds=READS),
            "overview": await side_by_side(many.overview, one.overview, rounds=READS),
            "upload of 1,000": await side_by_side(many.upload, one.upload, rounds=UPLOADS),
        }
    gigabytes = size * GROUPS * FULL / 1e9
    detail = f"{gigabytes:.2f} GB, filled in {filling:.0f} s"
    return [
        *(
            Figure(f"{GROUPS:,} full target groups beside one on PostgreSQL: {what}", pair.ratio, "x", 1.3, pair.detail)
            for what, pair in growth.items()
        ),
        Figure(f"Stored IDs on PostgreSQL, each, {GROUPS:,} target groups of 100,000", size, "bytes", 18, detail),
    ]
