"""The command line in this process and as the real program, always in a directory of its own."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from typer.testing import CliRunner, Result

from recontact_mcp.app import build_server
from recontact_mcp.cli.commands import app
from recontact_mcp.settings import Settings
from recontact_tools.ledger import Intent, IntentState, Ledger, Purpose, Snapshot
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import JobKind, TargetGroup

Run = Callable[..., Result]
Start = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
# ours: far beyond what any in-memory exchange takes.
PATIENCE = 30.0
NAMES = ("httpx", "httpx2", "httpcore", "httpcore2", "dbos", "sqlalchemy", "uvicorn", "uvicorn.access", "mcp")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Generator[None]:
    """Give logging back as it was: commands configure the whole process."""
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    before = (tuple(root.handlers), root.level, tuple(engine.handlers), engine.propagate)
    levels = {name: logging.getLogger(name).level for name in NAMES}
    yield
    root.handlers[:], engine.handlers[:], engine.propagate = before[0], before[2], before[3]
    root.setLevel(before[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Name a data directory of this test: no command may ever touch the user's own."""
    return {"RECONTACT_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)}


@pytest.fixture
def run(environment: Mapping[str, str]) -> Run:
    """Run a command in this process; keyword arguments are environment variables."""

    def command(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={**environment, **variables}, catch_exceptions=False)

    return command


@pytest.fixture
def start(environment: Mapping[str, str]) -> Start:
    """Start the real program, and interrupt it at the end as a person would."""

    @contextmanager
    def program(*arguments: str, **variables: str) -> Generator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-m", "recontact_mcp", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, **variables},
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)

    return program


@pytest.fixture
def removed(environment: Mapping[str, str], identifiers: Callable[[int], list[str]]) -> tuple[str, ...]:
    """Upload some identifiers into the data directory of the commands, remove them, and return them."""
    ids = identifiers(30)

    async def answer(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        return ElicitResult(action="accept", content={"phrase": f"REMOVE {len(ids)} FROM {GROUP}"})

    async def work() -> None:
        server = build_server(Settings(data_dir=Path(environment["RECONTACT_DATA_DIR"])))
        with anyio.fail_after(PATIENCE):
            async with Client(server, elicitation_callback=answer) as client:
                for starting, following, more in (
                    ("upload_recontacts", "get_upload_job", {"ids": ids}),
                    ("remove_all_recontacts", "get_removal_job", {}),
                ):
                    begun = await client.call_tool(starting, {"target_group_id": GROUP, **more})
                    assert begun.structured_content
                    job = {"target_group_id": GROUP, "job_id": begun.structured_content["job_id"], "wait_seconds": 45}
                    ended = await client.call_tool(following, job)
                    assert ended.structured_content
                    assert ended.structured_content["status"] == "Completed"

    anyio.run(work)
    return tuple(ids)


@pytest.fixture
def on_ledger(environment: Mapping[str, str]) -> Callable[[Callable[[Ledger], Awaitable[None]]], None]:
    """Run something on the ledger that the commands read."""

    def run_work(work: Callable[[Ledger], Awaitable[None]]) -> None:
        async def run() -> None:
            ledger = SqlLedger.open(Path(environment["RECONTACT_DATA_DIR"]) / "ledger.sqlite")
            await work(ledger)
            await ledger.aclose()

        anyio.run(run)

    return run_work


@pytest.fixture
def intent() -> Callable[..., Intent]:
    """Make a planned removal of seven IDs; fields can be given."""

    def make(**fields: Any) -> Intent:
        now = datetime.now(UTC)
        planned = Intent(
            intent_id="01M8A3RHEJWPC21J2R1Z43BRYV",
            kind=JobKind.REMOVAL,
            principal="local",
            group=TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", GROUP),
            ids=7,
            stored_before=7,
            state=IntentState.PLANNED,
            created_at=now,
            updated_at=now,
        )
        return replace(planned, **fields)

    return make


@pytest.fixture
def incomplete(intent: Callable[..., Intent]) -> Snapshot:
    """Make the snapshot of that removal, of which nothing is read yet."""
    removal = intent()
    return Snapshot(
        snapshot_id=removal.intent_id,
        purpose=Purpose.REMOVAL,
        principal="local",
        group=removal.group,
        expected=7,
        created_at=removal.created_at,
        updated_at=removal.created_at,
        expires_at=removal.created_at + timedelta(days=30),
    )
