"""Builds the MCP server: the catalog as tools, and what goes with them."""

import inspect
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from secrets import token_bytes
from typing import Any, cast

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.request_state import RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import CallToolResult, ToolAnnotations

from recontact_mcp.boundary import RecontactServer
from recontact_mcp.completions import add_completions
from recontact_mcp.filled import filled
from recontact_mcp.follow import Following
from recontact_mcp.freshness import fresh
from recontact_mcp.kept_resources import add_kept_resources
from recontact_mcp.opening import Effects, Opening
from recontact_mcp.prompts import add_prompts
from recontact_mcp.resources import add_resources
from recontact_mcp.settings import Settings
from recontact_mcp.tasks import JobTasks, TaskListening, Tasks
from recontact_mcp.tasks.wire import Asking
from recontact_mcp.untraced import taken
from recontact_tools.catalog import catalog

NAME = "recontact-mcp"
INSTRUCTIONS = """\
Recontacts are the respondents (RSIDs) who alone may re-enter a survey (a target group) on the Cint Exchange.
Uploads and removals are jobs: start one, then follow it with its job tool (wait_seconds=45) or resource.
One job at a time per target group, at most 100,000 IDs each; project_id and account_id are found or configured.
Errors say whether anything changed and what to do next: JOB_RUNNING names a job to follow; after OUTCOME_UNKNOWN look.
Respondent IDs are personal data: upload {by}, and list them only when the user asks for IDs."""
BY_PATH = "by path"
BY_TICKET = "a file by the ticket of stage_upload"

# ours: the lists are fixed for the life of a process; a client may keep them for an hour.
LISTS_FRESH_MS = 3_600_000


def build_server(
    settings: Settings,
    *,
    effects: Effects | None = None,
    local_files: bool = True,
    state_keys: Sequence[bytes] = (),
    approve_url: str | None = None,
) -> RecontactServer:
    """Build the server of one process; nothing is opened before its first request.

    *effects* is where time, ids and the way to the API can be replaced; *local_files* is whether `path`
    uploads may read this machine's files, which only a client that runs the server itself may ask for.
    *state_keys*, of 32 bytes or more, seal what clients carry between the rounds of a question: the first one seals,
    all open. None: those of the settings, or a key of this process alone.
    *approve_url* is the page where people approve removals over HTTP; without it the client's user is at this machine.
    """
    bus = InMemorySubscriptionBus()
    opening = Opening(settings, effects or Effects(), bus=bus, local_files=local_files, approve_url=approve_url)

    @asynccontextmanager
    async def lifespan(_server: MCPServer[Opening]) -> AsyncGenerator[Opening]:
        async with opening.running(), following.running():
            yield opening

    async def job_tool(ctx: Asking, name: str, arguments: dict[str, Any]) -> CallToolResult:
        context = Context(request_context=ctx, mcp_server=server)
        return cast("CallToolResult", await server.call_tool(name, arguments, context))  # reading asks nobody

    tasks = JobTasks(opening, bus, job_tool)
    server = RecontactServer(
        NAME,
        title="Recontacts",
        instructions=INSTRUCTIONS.format(by=BY_PATH if local_files else BY_TICKET),
        version=version(NAME),
        lifespan=lifespan,
        subscriptions=bus,
        cache_hints={
            "tools/list": CacheHint(ttl_ms=LISTS_FRESH_MS, scope="public"),
            "prompts/list": CacheHint(ttl_ms=LISTS_FRESH_MS, scope="public"),
            "resources/templates/list": CacheHint(ttl_ms=LISTS_FRESH_MS, scope="public"),
        },
        request_state_security=_sealing(settings, state_keys),
        log_level=settings.log_level,
        extensions=[Tasks(tasks)] if settings.tasks else None,
        middleware=[TaskListening(tasks, bus)] if settings.tasks else None,
    )
    following = Following(server, opening, bus)
    # Who may not watch something listens to no task of it either.
    server.middleware[:] = [following, fresh, *taken(server.middleware)]
    server.asking_seconds = settings.confirm_seconds
    server.opening = opening
    server.local_files = local_files
    _add_tools(server)
    add_resources(server, opening)
    add_kept_resources(server, opening)
    add_prompts(server, local_files=local_files)
    add_completions(server, opening)
    return server


def _sealing(settings: Settings, state_keys: Sequence[bytes]) -> RequestStateSecurity:
    """Seal rounds for as long as a plan can be confirmed."""
    keys = state_keys or settings.state_keys or (token_bytes(32),)
    return RequestStateSecurity(keys=keys, ttl=settings.plan_seconds)


def _add_tools(server: RecontactServer) -> None:
    for operation in catalog(local_files=server.local_files):
        server.add_tool(
            filled(operation.run),
            title=operation.title,
            description=inspect.getdoc(operation.run),
            annotations=ToolAnnotations(
                read_only_hint=operation.read_only,
                destructive_hint=operation.destructive,
                idempotent_hint=operation.idempotent,
                open_world_hint=True,
            ),
        )
