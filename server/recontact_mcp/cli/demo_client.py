"""The demo's side of MCP: a real client, and the real program as a subprocess on stdio."""

# Imports stand inside the functions that need them: `--help` does not pay for the SDK.
# ruff: noqa: PLC0415

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client.session import ClientRequestContext
    from mcp_types import ElicitRequestParams, ElicitResult

# ours: a call waits 45 s for a job at most.
CALL_SECONDS = 60.0


class Era(StrEnum):
    """The protocol's two eras: MCP 2026-07-28, and those before it."""

    MODERN = "modern"
    LEGACY = "legacy"


class Surprise(Exception):
    """A step of the demo did not go as it must; the message says which."""


def expect(holds: bool, otherwise: str) -> None:  # noqa: FBT001 (reads as a sentence: expect(count == 0, ...))
    """Stop the demo unless something holds.

    Raises:
        Surprise: It does not.
    """
    if not holds:
        raise Surprise(otherwise)


async def nobody(_question: str) -> str:
    """Answer for a person who was not to be asked yet.

    Raises:
        Surprise: Always.
    """
    raise Surprise("The server asked a person before it had a reason to.")


@dataclass(slots=True)
class Person:
    """Who answers the server's questions: *reply* gets the question and returns what is typed."""

    reply: Callable[[str], Awaitable[str]] = nobody
    asked: int = 0

    async def answer(self, context: "ClientRequestContext", params: "ElicitRequestParams") -> "ElicitResult":
        """Show a question and return the typed answer as the form's content."""
        from mcp_types import ElicitResult

        del context  # the SDK passes it by position or by name
        self.asked += 1
        return ElicitResult(action="accept", content={"phrase": await self.reply(params.message)})


@dataclass(frozen=True, slots=True)
class Session:
    """One connection of the demo's client; every call is about one target group."""

    client: "Client"
    person: Person
    target_group_id: str
    process_id: int = 0
    calls: list[str] = field(default_factory=list[str])

    async def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Call a tool that must succeed, and return its structured answer.

        Raises:
            Surprise: The server refused the call.
        """
        answer, refused = await self.attempt(tool, **arguments)
        if refused:
            raise Surprise(f"{tool} was refused: {answer['error']['code']}: {answer['error']['message']}")
        return answer

    async def call_refused(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Call a tool that must be refused, and return the error.

        Raises:
            Surprise: The server did it.
        """
        answer, refused = await self.attempt(tool, **arguments)
        expect(refused, f"{tool} should have been refused, and was not.")
        error: dict[str, Any] = answer["error"]
        return error

    async def attempt(self, tool: str, **arguments: object) -> tuple[dict[str, Any], bool]:
        """Call a tool; return its structured answer, and whether it is a refusal.

        Raises:
            Surprise: The answer has no structured content.
        """
        self.calls.append(tool)
        result = await self.client.call_tool(
            tool, {"target_group_id": self.target_group_id, **arguments}, read_timeout_seconds=CALL_SECONDS
        )
        if result.structured_content is None:
            raise Surprise(f"{tool} answered without structured content.")
        return result.structured_content, result.is_error


@asynccontextmanager
async def connected(
    environment: Mapping[str, str], person: Person, *, target_group_id: str, log: Path, era: Era = Era.MODERN
) -> AsyncGenerator[Session]:
    """Start this very program on stdio with nothing but *environment*, and connect to it."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    note = log.with_suffix(".pid")
    server = StdioServerParameters(
        command="/bin/sh",
        # The shell writes down its process id and becomes the server, which can be killed by it then.
        args=["-c", 'echo $$ > "$0"; exec "$@"', str(note), sys.executable, "-m", "recontact_mcp"],
        env=dict(environment),
        cwd=log.parent,
    )
    mode = "legacy" if era is Era.LEGACY else "auto"
    with log.open("w", encoding="utf-8") as errors:
        transport = stdio_client(server, errlog=errors)
        async with Client(transport, mode=mode, elicitation_callback=person.answer) as client:
            yield Session(client, person, target_group_id, int(note.read_text(encoding="ascii")))
