"""Replicas as an operator runs them: processes over HTTP on one PostgreSQL, before one API in a process of its own."""

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.abc
import httpx
import psycopg
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.session import ClientRequestContext, MessageHandlerFnT
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

from recontact_service.seed import seed
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger.postgres import lock_key
from recontact_tools.models import IdType, TargetGroup

Json: TypeAlias = dict[str, Any]

SECRET = "sesame"
ACCOUNT, PROJECT, GROUP = 101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1"
# 32 bytes in base64, the same in every replica.
SNAPSHOT_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
LINE_BYTES_MAX = 100_000
# source: MCP 2026-07-28: no handshake, every request carries what it needs
MODERN = "2026-07-28"
MODERN_META: Json = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "replicas", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Refused(Exception):
    """A tool answered with an error; *error* is what it said."""

    def __init__(self, error: Json) -> None:
        super().__init__(error)
        self.error = error


def usual_environment() -> dict[str, str]:
    """Return this process's environment without what its developer has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}


@asynccontextmanager
async def program(*arguments: str, log: Path, **variables: str) -> AsyncGenerator[anyio.abc.Process]:
    """Run the program until the block is left, however it is left; *log* holds what it writes on stderr."""
    command = [sys.executable, "-m", "recontact_mcp", *arguments]
    with log.open("ab") as stderr:
        process = await anyio.open_process(command, stderr=stderr, env={**usual_environment(), **variables})
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await ended(process)


async def ended(process: anyio.abc.Process) -> None:
    """End a process that may have ended already, and wait until it has."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await process.aclose()


async def announced(process: anyio.abc.Process, before: str, after: str) -> str:
    """Return what a process says between two texts on its way up."""
    assert process.stdout is not None
    received, text = BufferedByteReceiveStream(process.stdout), ""
    while after not in text.partition(before)[2]:
        text += (await received.receive_until(b"\n", LINE_BYTES_MAX)).decode() + "\n"
    return text.partition(before)[2].partition(after)[0]


@dataclass(frozen=True, slots=True)
class Api:
    """A running `recontact-mcp service`; its *database* can be seeded beside it."""

    url: str
    http: httpx.AsyncClient
    database: Path

    async def counts(self) -> tuple[Json, Json]:
        """Return how many requests of each operation there were, and how many jobs of each kind."""
        found: Json = (await self.http.get("/_service/requests")).raise_for_status().json()
        return found["requests"], found["jobs"]

    async def uploads(self) -> int:
        """Count the upload jobs that the API made."""
        number: int = (await self.counts())[1].get("upload-rsids-by-file", 0)
        return number

    async def upload(self, ids: list[str]) -> str:
        """Upload past our servers, and return the job's id."""
        connection = Connection(f"{self.url}/v1", f"{self.url}/oauth/token", "sandbox", SECRET)
        async with Gateway(connection) as gateway:
            content = "".join(f"{one}\n" for one in ids).encode()
            group = TargetGroup(ACCOUNT, PROJECT, GROUP)
            return await gateway.upload_file(group, file_name="elsewhere.csv", content=content, id_type=IdType.RSID)

    def groups(self, number: int) -> list[str]:
        """Let the API know so many target groups more, and return their ids."""
        names = [f"01BTGNYV6HRNK8K8VKREPL{number:04}" for number in range(number)]
        for name in names:
            seed(
                self.database,
                now=lambda: datetime.now(UTC),
                target_group_id=name,
                account_id=ACCOUNT,
                project_id=PROJECT,
            )
        return names


@dataclass
class Replica:
    """One process that serves MCP over HTTP."""

    process: anyio.abc.Process
    url: str
    log: Path

    @asynccontextmanager
    async def client(self, era: str = "auto", *, hear: MessageHandlerFnT | None = None) -> AsyncGenerator[Client]:
        """Connect a client whose person agrees to everything."""
        async with Client(self.url, mode=era, elicitation_callback=agree, message_handler=hear) as client:
            yield client

    async def kill(self) -> None:
        """End the process as the system does when it is out of memory: at once, without a word."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End the process as an operator does, and wait until it has closed."""
        self.process.terminate()
        await self.process.wait()

    async def post(self, http: httpx.AsyncClient, method: str, name: str, /, **params: Any) -> Json:
        """Send one request of 2026-07-28 and return its result.

        Raises:
            httpx.HTTPError: The replica went away under it, or is going away.
        """
        meta = {**MODERN_META, **params.pop("_meta", {})}
        body: Json = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        headers = {
            "accept": "application/json",
            "mcp-protocol-version": MODERN,
            "mcp-method": method,
            "mcp-name": name,
        }
        answer: Json = (await http.post(self.url, json=body, headers=headers)).raise_for_status().json()
        assert "result" in answer, answer
        result: Json = answer["result"]
        return result

    async def call(self, http: httpx.AsyncClient, tool: str, /, **arguments: object) -> Json:
        """Call a tool once and return its structured answer.

        Raises:
            httpx.HTTPError: As for `post`.
            Refused: The tool answered with an error.
        """
        named = {"target_group_id": GROUP, **arguments}
        result = await self.post(http, "tools/call", tool, name=tool, arguments=named)
        answer: Json = result["structuredContent"]
        if result.get("isError"):
            raise Refused(answer["error"])
        return answer

    def freeze(self) -> None:
        """Let the process do nothing for a while."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.process.send_signal(signal.SIGCONT)

    def said(self) -> str:
        """Return what the process has logged."""
        return self.log.read_text("utf-8")


async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Answer a question as a person does who types the phrase that it asks for."""
    del context  # the client passes it by position
    phrase = params.message.partition("type: ")[2].partition("\n")[0]
    return ElicitResult(action="accept", content={"phrase": phrase})


async def call(client: Client, tool: str, /, **arguments: object) -> Json:
    """Call a tool for the group of these tests and return its structured answer.

    Raises:
        Refused: The tool answered with an error.
    """
    result = await client.call_tool(tool, {"target_group_id": GROUP, **arguments})
    assert isinstance(result, CallToolResult)
    answer: Json = result.structured_content or json.loads(getattr(result.content[0], "text", "{}"))
    if result.is_error:
        raise Refused(answer["error"])
    return answer


async def outcome(client: Client, tool: str, /, **arguments: object) -> Json:
    """Call a tool and return what it answered, be it an error."""
    try:
        return await call(client, tool, **arguments)
    except Refused as refused:
        return refused.error


@dataclass
class Fleet:
    """Replicas on one database, before one API; each has a data directory of its own."""

    api: Api
    database_url: str
    folder: Path
    numbers: "count[int]" = field(default_factory=count)

    @asynccontextmanager
    async def replica(self, **variables: str) -> AsyncGenerator[Replica]:
        """Start a replica, and end it with the block unless it has ended before."""
        number = next(self.numbers)
        log = self.folder / f"replica-{number}.log"
        environ = {
            "RECONTACT_DATABASE_URL": self.database_url,
            "RECONTACT_DATA_DIR": str(self.folder / f"replica-{number}"),
            "RECONTACT_SNAPSHOT_KEY": SNAPSHOT_KEY,
            "CINT_CLIENT_ID": "sandbox",
            "CINT_CLIENT_SECRET": SECRET,
            "CINT_ACCOUNT_ID": str(ACCOUNT),
            "CINT_PROJECT_ID": PROJECT,
            "CINT_BASE_URL": f"{self.api.url}/v1",
            "CINT_AUTH_URL": f"{self.api.url}/oauth/token",
            "CINT_REQUESTS_PER_SECOND": "500",
            **variables,
        }
        async with program("serve", "--transport", "http", "--port", "0", log=log, **environ) as process:
            replica = Replica(process, "http://" + await announced(process, "http://", " "), log)
            async with (
                replica.client() as client
            ):  # as a balancer asks whether it is ready: now it has opened everything
                await call(client, "get_recontact_overview")
            yield replica

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read rows of the database; the ledger's schema comes first."""
        with psycopg.connect(self.database_url) as connection:
            [[schema]] = connection.execute(
                "SELECT table_schema FROM information_schema.tables WHERE table_name = 'intents'"
            ).fetchall()
            connection.execute("SELECT set_config('search_path', %s, false)", [schema])
            return connection.execute(query.encode()).fetchall()

    def unsettled(self) -> int:
        """Count the intents that have still to be settled."""
        [[number]] = self.rows("SELECT count(*) FROM intents WHERE state IN ('planned', 'sending', 'started')")
        return int(number)

    async def settled(self) -> None:
        """Wait until every intent has ended."""
        while await anyio.to_thread.run_sync(self.unsettled):  # noqa: ASYNC110 - other processes settle them
            await anyio.sleep(0.05)

    def holders(self, name: str) -> set[int]:
        """Return which of the database's processes hold a lock for a replica."""
        [[schema]] = self.rows("SELECT current_schema()")
        key = lock_key("recontact seat", schema, name)
        return {
            pid
            for pid, found in self.rows(
                "SELECT pid, (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
            )
            if found == key
        }

    def cut_off(self, name: str) -> None:
        """End the connection that shows a replica, by its name in the engine, to be alive."""
        [pid] = self.holders(name)
        self.rows(f"SELECT pg_terminate_backend({pid})")

    def executors(self) -> set[str]:
        """Return the names of the replicas that have begun something in the engine."""
        with psycopg.connect(self.database_url) as connection:
            [[schema]] = connection.execute(
                "SELECT table_schema FROM information_schema.tables WHERE table_name = 'workflow_status'"
            ).fetchall()
            connection.execute("SELECT set_config('search_path', %s, false)", [schema])
            found = connection.execute("SELECT executor_id FROM workflow_status WHERE status = 'PENDING'").fetchall()
        return {name for [name] in found}


@asynccontextmanager
async def fleet_on(database_url: str, folder: Path, *, pace: str) -> AsyncGenerator[Fleet]:
    """Serve the API at a pace, 0 being full speed, and have replicas started before it."""
    data = folder / "api"
    environ = {"RECONTACT_DATA_DIR": str(data), "RECONTACT_SERVICE_SECRET": SECRET}
    arguments = ("service", "--port", "0", "--pace", pace, "--faults")
    async with program(*arguments, log=folder / "api.log", **environ) as process:
        url = "http" + await announced(process, "CINT_BASE_URL=http", "/v1")
        async with httpx.AsyncClient(base_url=url) as http:
            yield Fleet(Api(url, http, data / "service.sqlite"), database_url, folder)
