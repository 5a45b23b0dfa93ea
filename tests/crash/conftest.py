"""Real server processes, spoken to as a host does, and what they leave behind on disk."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import anyio
import anyio.abc
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from psycopg.errors import UndefinedTable
from psycopg.rows import dict_row
from pydantic import SecretStr
from replicas import SNAPSHOT_KEY as KEY
from service_databases import connected

from recontact_mcp.embedded import embedded_gateway, service_database
from recontact_service.seed import seed
from recontact_service.settings import Postgres
from recontact_tools.models import IdType, TargetGroup

SECRET = "sesame"
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
SERVICE = Path(__file__).with_name("killable_service.py")
VICTIM = Path(__file__).with_name("victim.py")
# ours: far beyond any answer on a busy machine, and below the runner's own limit.
PATIENCE = 60.0
LINE_BYTES_MAX = 10_000_000
PHRASE = re.compile(r"To agree, type: (.+)")
IDS = tuple(str(UUID(int=number * 0x1234567890ABCDEF1234567)) for number in range(1, 3_001))

# The schemas with a ledger; that of the embedded API is in every copy of the tables, and comes last.
LEDGERS = (
    "SELECT table_schema FROM information_schema.tables WHERE table_name = 'intents'"
    " ORDER BY table_schema = 'recontact'"
)

Json: TypeAlias = dict[str, Any]

CLIENT = {"name": "crash", "version": "1"}
# source: MCP 2026-07-28: no handshake, every request carries what it needs
MODERN_META: Json = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class ServerDied(Exception):
    """The server ended before it answered."""


class ToolRefused(Exception):
    """A tool answered with an error; `error` is what it said, `text` the whole answer."""

    def __init__(self, result: Json) -> None:
        super().__init__(result["structuredContent"])
        self.error: Json = result["structuredContent"]["error"]
        self.text = json.dumps(result)


def agree(question: str) -> Json:
    """Type what the question asks for."""
    found = PHRASE.search(question)
    assert found is not None
    return {"action": "accept", "content": {"phrase": found[1]}}


@dataclass
class Host:
    """A host of one server process, one request at a time; *answer* stands for the person in front of it."""

    process: anyio.abc.Process
    log: Path
    answer: Callable[[str], Json] = agree
    era: str = "legacy"
    said: list[str] = field(default_factory=list[str])
    _received: BufferedByteReceiveStream = field(init=False)
    _requests: int = 0

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._received = BufferedByteReceiveStream(self.process.stdout)

    async def connect(self) -> None:
        """Shake hands, in the era that does."""
        if self.era == "auto":
            await self.ask("tools/list", {})
            return
        hello: Json = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": CLIENT,
        }
        await self.ask("initialize", hello)
        await self._send({"method": "notifications/initialized", "params": {}})

    async def call(self, tool: str, **arguments: Any) -> Json:
        """Call a tool for the group of these tests and return its structured answer.

        Raises:
            ServerDied: The process ended before it answered.
            ToolRefused: The tool answered with an error.
        """
        named = {"target_group_id": GROUP.target_group_id, **arguments}
        result = await self.ask("tools/call", {"name": tool, "arguments": named})
        if result.get("isError"):
            raise ToolRefused(result)
        content: Json = result["structuredContent"]
        return content

    async def ask(self, method: str, params: Json) -> Json:
        """Send a request and return its result; questions on the way are answered, notifications passed over."""
        self._requests += 1
        await self._request(method, params)
        while True:
            message = await self._receive()
            if message.get("method") == "elicitation/create":
                await self._send({"id": message["id"], "result": self.answer(message["params"]["message"])})
            elif message.get("id") == self._requests:
                assert "result" in message, message
                result: Json = message["result"]
                return result

    async def watch(self, *uris: str) -> None:
        """Subscribe to resources, in the way of the era, and wait until that is acknowledged."""
        if self.era == "legacy":
            for uri in uris:
                await self.ask("resources/subscribe", {"uri": uri})
            return
        self._requests += 1
        await self._request("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})
        while (message := await self._receive()).get("method") != "notifications/subscriptions/acknowledged":
            assert "error" not in message, message

    async def hear(self, uri: str) -> None:
        """Wait until the server tells that a resource changed."""
        while True:
            message = await self._receive()
            if message.get("method") == "notifications/resources/updated" and message["params"]["uri"] == uri:
                return

    async def refusal(self, tool: str, **arguments: Any) -> Json:
        """Call a tool that must answer with an error, and return the error."""
        with pytest.raises(ToolRefused) as refused:
            await self.call(tool, **arguments)
        return refused.value.error

    async def outcome(self, tool: str, **arguments: Any) -> Json:
        """Call a tool and return what it answered, be it an error."""
        try:
            return await self.call(tool, **arguments)
        except ToolRefused as refused:
            return refused.error

    async def death(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do some work during which the process must be killed."""
        with pytest.raises(ServerDied):
            await work()
        assert await self.process.wait() == -signal.SIGKILL

    async def kill(self) -> None:
        """End the process as the system does when it is out of memory: at once, without a word."""
        self.process.kill()
        await self.process.wait()

    async def _request(self, method: str, params: Json) -> None:
        said = {} if self.era == "legacy" else {"_meta": MODERN_META}
        await self._send({"id": self._requests, "method": method, "params": {**params, **said}})

    async def _send(self, message: Json) -> None:
        assert self.process.stdin is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # what follows is the end of stdout
            await self.process.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def _receive(self) -> Json:
        try:
            line = await self._received.receive_until(b"\n", LINE_BYTES_MAX)
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise ServerDied from error
        self.said.append(line.decode())
        message: Json = json.loads(line)
        return message


@dataclass(frozen=True)
class Seen:
    """What is on record after a run: the ledger's intents, the jobs the API made, and the stored set."""

    intents: tuple[tuple[str, str], ...]
    jobs: tuple[str, ...]
    stored: frozenset[str]


@dataclass(frozen=True)
class Place:
    """The directory of some server processes, and their database where that is not in it."""

    data: Path
    roots: Path
    ids: frozenset[str] = frozenset(IDS)
    database_url: SecretStr | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The settings of a server that keeps everything here."""
        here = {"RECONTACT_DATA_DIR": str(self.data), "RECONTACT_UPLOAD_ROOTS": str(self.roots)}
        if self.database_url is None:
            return here
        return {**here, "RECONTACT_DATABASE_URL": self.database_url.get_secret_value(), "RECONTACT_SNAPSHOT_KEY": KEY}

    @property
    def service(self) -> Path | Postgres:
        """Where the embedded service keeps its data."""
        return service_database(self.data, self.database_url)

    def write_file(self, ids: tuple[str, ...] = IDS, name: str = "panel.csv") -> str:
        """Write an identifier file where uploads may read it."""
        path = self.roots / name
        path.write_text("".join(f"{one}\n" for one in ids), "utf-8")
        return str(path)

    def seed(self, target_group_id: str) -> None:
        """Let the embedded service know another target group."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        seed(
            self.service,
            now=lambda: datetime.now(UTC),
            target_group_id=target_group_id,
            account_id=GROUP.account_id,
            project_id=GROUP.project_id,
        )

    def executor(self, name: str = "engine.lock") -> int | None:
        """Return the id of the process that holds the engine's lock, or another one."""
        lock = next(self.data.rglob(name), None)  # each API has a folder of its own
        inode = lock.stat().st_ino if lock else None
        for line in Path("/proc/locks").read_text("utf-8").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                return int(words[4])
        return None

    def intents(self) -> list[dict[str, Any]]:
        """Read the ledger's intents, oldest first."""
        return self.ledger_rows("SELECT * FROM intents ORDER BY position")

    def ledger_rows(self, query: str) -> list[dict[str, Any]]:
        """Read rows of the ledger; each API has a folder or a schema of its own."""
        if isinstance(self.service, Postgres):
            schemas = [row["table_schema"] for row in rows(self.service, LEDGERS)]
            return rows(replace(self.service, schema=schemas[0]), query)
        found = [*self.data.rglob("ledger.sqlite"), self.data / "ledger.sqlite"]
        return rows(found[0], query)

    def active(self) -> bool:
        """Tell whether an intent has still to be settled."""
        return any(intent["state"] in {"planned", "sending", "started"} for intent in self.intents())

    def seen(self, kind: str, database: Path | Postgres | None = None) -> Seen:
        """Read what is on record about the jobs of one kind (the last part of their path)."""
        service = database or self.service
        jobs = rows(service, "SELECT * FROM jobs ORDER BY number")
        chunks = rows(service, "SELECT ids FROM id_chunks")
        packed = b"".join(chunk["ids"] for chunk in chunks)
        return Seen(
            intents=tuple((intent["state"], intent["settled_by"] or "") for intent in self.intents()),
            jobs=tuple(job["status"] for job in jobs if job["kind"] == kind),
            stored=frozenset(str(UUID(bytes=packed[at : at + 16])) for at in range(0, len(packed), 16)),
        )

    def begun(self) -> bool:
        """Tell whether a workflow of the embedded API is under way on PostgreSQL."""
        assert isinstance(self.service, Postgres)
        pending = "SELECT 1 FROM workflow_status WHERE status = 'PENDING'"
        return bool(rows(replace(self.service, schema="recontact_engine"), pending))

    async def open_first(self, victim: Host) -> None:
        """Let a server that is going to be killed be ready to execute before another one is there that could."""
        if self.database_url is not None:
            await victim.call("get_recontact_overview")

    async def stand_by(self, victim: Host, sibling: Host, tasks: anyio.abc.TaskGroup) -> None:
        """Let a server stand by for one that is going to be killed, which is the one to do the work until then."""
        if self.database_url is None:
            await sibling.call("get_recontact_overview")
        else:
            tasks.start_soon(self._stand_by_later, victim, sibling)

    async def _stand_by_later(self, victim: Host, sibling: Host) -> None:
        # Replicas execute what they were asked for, and at once what another one that is slow to start has not begun.
        while victim.process.returncode is None and not self.begun():  # noqa: ASYNC110 - other processes begin it
            await anyio.sleep(0.02)
        await sibling.call("get_recontact_overview")

    async def settle(self, host: Host) -> None:
        """Use a server, and wait until it has settled what was left."""
        await host.call("get_recontact_overview")
        with anyio.fail_after(PATIENCE):
            while self.active():
                await host.ask("ping", {})  # a server that dies meanwhile is noticed
                await anyio.sleep(0.02)

    async def resume(self, host: Host) -> None:
        """Use a server, and keep the conversation up until its process ends."""
        await host.call("get_recontact_overview")
        while True:
            await host.ask("ping", {})
            await anyio.sleep(0.02)

    async def store(self, ids: tuple[str, ...] = IDS) -> Path | Postgres:
        """Have these IDs stored in the embedded service, before any server runs; return its database."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        content = "".join(f"{one}\n" for one in ids).encode()
        way = embedded_gateway(self.data, pace=0.0, api_version="2025-12-18", database_url=self.database_url)
        async with way as gateway:
            await gateway.upload_file(GROUP, file_name="before.csv", content=content, id_type=IdType.RSID)
            while await gateway.get_overview(GROUP) < len(ids):  # noqa: ASYNC110 - the service tells nobody
                await anyio.sleep(0.01)  # a call in process lets nothing else run
        return self.service


def rows(database: Path | Postgres, query: str) -> list[dict[str, Any]]:
    """Read rows of a database that other processes may be writing; none when it is not there."""
    if isinstance(database, Postgres):
        with closing(connected(database)) as server, suppress(UndefinedTable):  # its first transaction has not ended
            return server.cursor(row_factory=dict_row).execute(query.encode()).fetchall()
        return []
    if not database.exists():
        return []
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        except sqlite3.OperationalError:  # its first transaction has not ended
            return []


Hosting: TypeAlias = Callable[..., AbstractAsyncContextManager[Host]]
Serving: TypeAlias = Callable[..., AbstractAsyncContextManager["Api"]]
Crash: TypeAlias = Callable[..., Awaitable[None]]


@pytest.fixture
def place(tmp_path: Path, kept_in: SecretStr | None) -> Place:
    """A data directory that is not there yet, or a database, and a folder that uploads may read."""
    roots = tmp_path / "files"
    roots.mkdir()
    return Place(tmp_path / "data", roots, database_url=kept_in)


@pytest.fixture
def hosting(place: Place, tmp_path: Path) -> Hosting:
    """Start a server process and connect a host to it; named values go to its environment.

    The normal program runs unless CRASH_AT or another of the victim's variables is given.
    """
    logs = count()

    @asynccontextmanager
    async def hosted(program: Path | None = None, *, era: str = "legacy", **environ: str) -> AsyncGenerator[Host]:
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
        env = {**usual, **place.environ, **environ}
        crashes = any(name.startswith("CRASH_") for name in environ)
        script = program or (VICTIM if crashes else None)
        command = [sys.executable, str(script)] if script else [sys.executable, "-m", "recontact_mcp"]
        log = tmp_path / f"stderr-{next(logs)}.log"
        with log.open("wb") as stderr, anyio.fail_after(PATIENCE):
            async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=stderr, env=env) as process:
                host = Host(process, log, era=era)
                try:
                    await host.connect()
                    yield host
                    await leave(process)
                finally:
                    with suppress(ProcessLookupError):
                        process.kill()

    return hosted


@pytest.fixture
def crash(hosting: Hosting) -> Crash:
    """Run a server that is to die at a moment, and what a host does with it until then."""

    async def crashed(moment: str, work: Callable[[Host], Awaitable[object]], **environ: str) -> None:
        async with hosting(CRASH_AT=moment, **environ) as host:
            await host.death(partial(work, host))

    return crashed


def environ_of(port: int, secret: str = SECRET) -> dict[str, str]:
    """Return the settings of a server that uses the API on a port of this machine."""
    url = f"http://127.0.0.1:{port}"
    return {
        "CINT_BASE_URL": f"{url}/v1",
        "CINT_AUTH_URL": f"{url}/oauth/token",
        "CINT_CLIENT_ID": "robot",
        "CINT_CLIENT_SECRET": secret,
        "CINT_ACCOUNT_ID": str(GROUP.account_id),
        "CINT_PROJECT_ID": GROUP.project_id,
    }


@dataclass
class Api:
    """The service on a port of this machine; it is started again whenever it was killed."""

    database: Path | Postgres
    secret: str
    port: int = 0
    deaths: int = 0
    process: anyio.abc.Process = field(init=False)

    @property
    def environ(self) -> dict[str, str]:
        """The settings of a server that uses this service."""
        return environ_of(self.port, self.secret)

    async def kill(self) -> None:
        """Kill the process that serves now; `keep` starts the next one."""
        self.process.kill()
        await self.process.wait()

    async def requests(self) -> dict[str, int]:
        """Count the requests, by operation, since the service was last started."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/_service") as client:
            counts: dict[str, int] = (await client.get("/requests")).json()["requests"]
            return counts

    async def script(self, operation: str, kind: str) -> None:
        """Let the next request of an operation meet a fault."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/_service") as client:
            answer = await client.post("/faults", json={"operation": operation, "kind": kind})
            assert answer.status_code == 204

    async def keep(self, pace: str, moment: str, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run the service, and run it again on its port after every death."""
        env = {**os.environ, "SERVICE_SECRET": self.secret}
        while True:
            database = str(self.database) if isinstance(self.database, Path) else self.database.url
            command = [sys.executable, str(SERVICE), database, str(self.port), pace, moment]
            async with await anyio.open_process(command, env=env, stderr=None) as process:
                assert process.stdout is not None
                line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100)
                self.port, self.process = int(line), process
                if not self.deaths:
                    task_status.started()
                await process.wait()
            self.deaths += 1
            moment = ""


@pytest.fixture
def serving(tmp_path: Path, place: Place) -> Serving:
    """Run the service alone; *moment* is when it is to die."""

    @asynccontextmanager
    async def served(
        moment: str = "", *, pace: str = "0", secret: str = SECRET, database: Path | Postgres | None = None
    ) -> AsyncGenerator[Api]:
        api = Api(database or service_database(tmp_path, place.database_url), secret)
        async with anyio.create_task_group() as tasks:
            await tasks.start(api.keep, pace, moment)
            yield api
            tasks.cancel_scope.cancel()

    return served


async def leave(process: anyio.abc.Process) -> None:
    """End a conversation as hosts do, by closing stdin; a process that was killed is gone already."""
    assert process.stdin is not None
    await process.stdin.aclose()
    assert await process.wait() in {0, -signal.SIGKILL}
