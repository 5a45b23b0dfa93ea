"""A server for the official conformance suite: fixture tools whose jobs live in memory, and our extension around them.

With Node 22, from the root of the project; the port is free to choose:

    .venv/bin/python tests/support/conformance_server.py 8766 &
    for name in lifecycle capability-negotiation wire-fields request-state-removal mrtr-input request-headers \
        dispatch-and-envelope status-notifications required-task-error mrtr-composition; do
      npx @modelcontextprotocol/conformance@0.2.0-alpha.12 server \
        --url http://127.0.0.1:8766/mcp --scenario tasks-$name
    done
"""

import sys
from typing import Annotated

import anyio
import uvicorn
from fixture_tasks import FixtureWork, Job
from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    MCPServer,
    Resolve,
    require_client_extension,
)
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR
from pydantic import BaseModel

from recontact_mcp.tasks import TaskListening, Tasks
from recontact_mcp.tasks.wire import TASKS


class UserName(BaseModel):
    """What the suite's composition asks for."""

    name: str


async def _user_name() -> Elicit[UserName]:
    return Elicit("Who are you?", UserName)


def conformance_server() -> MCPServer[None]:
    """Build the server with every tool that the suite's scenarios of tasks call."""
    work = FixtureWork()
    server = MCPServer[None](
        "fixture",
        lifespan=work.working,
        subscriptions=work.bus,
        extensions=[Tasks(work)],
        middleware=[TaskListening(work, work.bus)],
        log_level="WARNING",
    )
    tools = FixtureTools(work)
    for tool in (
        tools.greet,
        tools.change_tools,
        tools.slow_compute,
        tools.failing_job,
        tools.protocol_error_job,
        tools.confirm_delete,
        tools.multi_input,
        tools.test_tool_with_task,
    ):
        server.add_tool(tool)
    return server


class FixtureTools:
    """The tools, by the names that the suite calls them; all but the first two start a job."""

    def __init__(self, work: FixtureWork) -> None:
        self._work = work

    async def greet(self, name: str) -> str:
        """Start nothing."""
        return f"Hello, {name}!"

    async def change_tools(self, ctx: Context[None]) -> None:
        """Say that the list of tools has changed."""
        await ctx.notify_tools_changed()

    async def slow_compute(self, seconds: float, label: str = "") -> dict[str, str]:
        """Take so long."""

        async def run(_job: Job) -> str:
            await anyio.sleep(seconds)
            return f"{label} took {seconds} s"

        return self._work.start(run)

    async def failing_job(self, ctx: Context[None]) -> dict[str, str]:
        """Fail as a tool does; there is no such job but as a task."""
        require_client_extension(ctx.request_context, TASKS)

        async def run(_job: Job) -> str:
            raise ValueError("it did not work")

        return self._work.start(run)

    async def protocol_error_job(self) -> dict[str, str]:
        """Fail as a request does."""

        async def run(_job: Job) -> str:
            raise MCPError(code=INTERNAL_ERROR, message="it broke")

        return self._work.start(run)

    async def confirm_delete(self, filename: str) -> dict[str, str]:
        """Ask one thing on the way."""

        async def run(job: Job) -> str:
            await job.ask("confirm")
            return f"{filename}: {job.answers['confirm']}"

        return self._work.start(run)

    async def multi_input(self) -> dict[str, str]:
        """Ask two things at once."""

        async def run(job: Job) -> str:
            await job.ask("first", "second")
            return f"{job.answers}"

        return self._work.start(run)

    async def test_tool_with_task(
        self, ctx: Context[None], user: Annotated[ElicitationResult[UserName], Resolve(_user_name)]
    ) -> dict[str, str]:
        """Ask before there is a job; there is none but as a task."""
        require_client_extension(ctx.request_context, TASKS)
        name = user.data.name if isinstance(user, AcceptedElicitation) else "nobody"

        async def run(_job: Job) -> str:
            return f"Hello, {name}!"

        return self._work.start(run)


if __name__ == "__main__":
    uvicorn.run(
        conformance_server().streamable_http_app(), port=int(sys.argv[1]), log_level="warning", access_log=False
    )
