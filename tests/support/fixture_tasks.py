"""Jobs that live in memory, as the Tasks extension sees any: the `Work` of the conformance fixture."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import anyio
import anyio.abc
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import CallToolRequestParams, CallToolResult, ErrorData, TextContent

from recontact_mcp.tasks.jobs import new_task_id
from recontact_mcp.tasks.wire import Asking, Status, TaskState

KIND = "fixture"
# What the suite waits for at most is ten seconds; its own looks come every 200 ms.
POLL_SECONDS = 0.2
LIFETIME = timedelta(minutes=10)


@dataclass(slots=True)
class Job:
    """What one call started: how it stands, what it asks, and what it came to."""

    job_id: str
    status: Status = "working"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    result: CallToolResult | None = None
    error: ErrorData | None = None
    questions: dict[str, Any] = field(default_factory=dict[str, Any])
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    answered: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def uri(self) -> str:
        """Return what changes when this job does."""
        return f"fixture://jobs/{self.job_id}"

    async def ask(self, *keys: str) -> None:
        """Ask something under each key at once, and wait until everything is answered."""
        self.questions, self.status = {key: form(key) for key in keys}, "input_required"
        await self.answered.wait()
        self.status = "working"


Running: TypeAlias = Callable[[Job], Awaitable[str]]


def form(key: str) -> dict[str, Any]:
    """Return a question with one field to answer."""
    schema = {"type": "object", "properties": {"confirm": {"type": "boolean"}}, "required": ["confirm"]}
    return {"method": "elicitation/create", "params": {"mode": "form", "message": key, "requestedSchema": schema}}


def told(text: str, *, is_error: bool = False) -> CallToolResult:
    """Return what a tool says."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)


class FixtureWork:
    """The `Work` of the fixture: jobs by the id of their task."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._jobs: dict[str, Job] = {}
        self._running: anyio.abc.TaskGroup

    @asynccontextmanager
    async def working(self, _server: MCPServer[None]) -> AsyncGenerator[None]:
        """Run jobs until the server stops."""
        async with anyio.create_task_group() as self._running:
            yield
            self._running.cancel_scope.cancel()

    def start(self, run: Running) -> dict[str, str]:
        """Start a job and return its handle."""
        job = Job(new_task_id())
        self._jobs[job.job_id] = job
        self._running.start_soon(self._run, job, run)
        return {"job_id": job.job_id, "kind": KIND, "resource_uri": job.uri}

    async def _run(self, job: Job, run: Running) -> None:
        with job.scope:
            try:
                job.status, job.result = "completed", told(await run(job))
            except ValueError as error:  # as a tool fails
                job.status, job.result = "completed", told(str(error), is_error=True)
            except MCPError as error:  # as a request fails
                job.status, job.error = "failed", error.error
        if job.scope.cancelled_caught:
            job.status = "cancelled"
        job.questions = {}
        await self.bus.publish(ResourceUpdated(uri=job.uri))

    async def begun(self, ctx: Asking, params: CallToolRequestParams, result: CallToolResult) -> TaskState | None:
        """See `Work.begun`."""
        del ctx, params
        handle = result.structured_content
        return state_of(self._jobs[handle["job_id"]], first=True) if handle and handle.get("kind") == KIND else None

    async def state(self, ctx: Asking, task_id: str) -> TaskState | None:
        """See `Work.state`."""
        del ctx
        job = self._jobs.get(task_id)
        return None if job is None else state_of(job)

    async def answer(self, ctx: Asking, task_id: str, responses: Mapping[str, Any]) -> bool:
        """See `Work.answer`."""
        del ctx
        job = self._jobs.get(task_id)
        if job is None:
            return False
        for key in job.questions.keys() & responses.keys():
            job.answers[key] = responses[key]
            del job.questions[key]
        if not job.questions:
            job.answered.set()
        return True

    async def cancel(self, ctx: Asking, task_id: str) -> bool:
        """See `Work.cancel`."""
        del ctx
        job = self._jobs.get(task_id)
        if job is None:
            return False
        job.scope.cancel()
        return True

    async def watched(self, ctx: Asking, task_id: str) -> str | None:
        """See `Work.watched`."""
        del ctx
        job = self._jobs.get(task_id)
        return None if job is None else job.uri


def state_of(job: Job, *, first: bool = False) -> TaskState:
    """Return how a job stands as a task; the first answer holds nothing yet."""
    return TaskState(
        task_id=job.job_id,
        status="working" if first else job.status,
        created_at=job.created_at,
        updated_at=datetime.now(UTC),
        lifetime=LIFETIME,
        poll_seconds=POLL_SECONDS,
        result=None if first else job.result,
        error=None if first else job.error,
        questions=job.questions or None,
    )
