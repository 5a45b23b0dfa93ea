"""From the tool call to the job Completed, as the client sees it: the embedded service and a warm engine."""

import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import UUID

from bench.figures import Figure, as_time
from bench.timing import undisturbed
from mcp import Client

from recontact_mcp.app import build_server
from recontact_mcp.settings import Settings
from recontact_service.packed import ID_BYTES, cut, pack_set
from recontact_service.seed import seed

# ours: how many IDs, the goal in seconds, how often
SIZES = ((10_000, 0.25, 9), (100_000, 1.5, 5))


def packed(count: int) -> bytes:
    return pack_set(random.Random(count).randbytes(count * ID_BYTES))  # noqa: S311 - test data


def as_file(ids: bytes) -> str:
    lines = [str(UUID(bytes=ids[at : at + ID_BYTES])) for at in range(0, len(ids), ID_BYTES)]
    random.Random(1).shuffle(lines)  # noqa: S311 - test data
    return "\n".join(lines)


def bare_insert(database: Path, ids: bytes) -> float:
    """Time what no store can avoid: one durable transaction that writes the packed chunks."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE chunks (first BLOB PRIMARY KEY, ids BLOB NOT NULL)")
        start = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO chunks VALUES (?, ?)", [(chunk[:ID_BYTES], chunk) for chunk in cut(ids)])
        connection.execute("COMMIT")
        return time.perf_counter() - start


async def upload(client: Client, path: Path, group: str) -> float:
    """Upload a file, and time it until the client has read Completed."""
    start = time.perf_counter()
    begun = await client.call_tool("upload_recontacts", {"target_group_id": group, "path": str(path)})
    assert begun.structured_content
    job = {"target_group_id": group, "job_id": begun.structured_content["job_id"], "wait_seconds": 45}
    ended = await client.call_tool("get_upload_job", job)
    taken = time.perf_counter() - start
    assert ended.structured_content
    assert ended.structured_content["status"] == "Completed"
    return taken


async def measure(folder: Path) -> list[Figure]:
    settings = Settings(data_dir=folder / "data", upload_roots=(folder,))
    figures: list[Figure] = []
    async with Client(build_server(settings)) as client:
        await client.call_tool("get_upload_job", {"target_group_id": new_group(settings, 0), "job_id": "none"})
        for count, goal, rounds in SIZES:
            ids = packed(count)
            path = folder / f"{count}.csv"
            path.write_text(as_file(ids))
            await upload(client, path, new_group(settings, count))
            ours: list[float] = []
            bare: list[float] = []
            for turn in range(1, rounds + 1):
                group = new_group(settings, count + turn)
                with undisturbed():
                    ours.append(await upload(client, path, group))
                    bare.append(bare_insert(folder / f"bare-{count}-{turn}.sqlite", ids))
            beside = f"{median(ours) / median(bare):.0f} times a bare SQLite insert, {as_time(median(bare))}"
            figures.append(Figure(f"{count:,} IDs, tool call to Completed", median(ours), "s", goal, beside))
    return figures


def new_group(settings: Settings, number: int) -> str:
    """Create an empty target group, so that every upload is of new IDs; return its id."""
    target_group_id = f"01BTGNYV6HRNK8K8VK{number:08}"
    seed(settings.data_dir / "service.sqlite", now=lambda: datetime.now(UTC), target_group_id=target_group_id)
    return target_group_id
