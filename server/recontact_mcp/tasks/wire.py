"""What the Tasks extension puts on the wire: its names, its parameters, and a task as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias

from mcp.server.context import ServerRequestContext
from mcp_types import CallToolRequestParams, CallToolResult, ErrorData, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict

# source: MCP Tasks extension, 2026-07-28.
TASKS: Final = "io.modelcontextprotocol/tasks"
# The extension exists in these eras only: before them, a result of another shape cannot be delivered.
VERSIONS: Final = frozenset(MODERN_PROTOCOL_VERSIONS)
NOTIFICATION: Final = "notifications/tasks"

Asking: TypeAlias = ServerRequestContext[Any, Any]
Status: TypeAlias = Literal["working", "input_required", "completed", "failed", "cancelled"]
ENDED: Final[frozenset[Status]] = frozenset({"completed", "failed", "cancelled"})


class TaskParams(RequestParams):
    """The task that a request is about."""

    model_config = ConfigDict(defer_build=True)

    task_id: str


class UpdateParams(TaskParams):
    """Answers to what a task asked, by the keys of its questions."""

    input_responses: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task as it stands: *result* once it is completed, *error* once it has failed, *questions* while it waits."""

    task_id: str
    status: Status
    created_at: datetime
    updated_at: datetime
    lifetime: timedelta | None
    poll_seconds: float | None = None
    message: str | None = None
    result: CallToolResult | None = None
    error: ErrorData | None = None
    questions: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will never be anything else."""
        return self.status in ENDED

    def created(self) -> dict[str, Any]:
        """Return the result of the call that made this task."""
        return {**self._fields(), "resultType": "task"}

    def detailed(self) -> dict[str, Any]:
        """Return all there is to say, as the answer to a look and as a notification."""
        details: dict[str, Any] = {}
        if self.result is not None:
            details["result"] = self.result.model_dump(by_alias=True, mode="json", exclude_none=True)
        if self.error is not None:
            details["error"] = self.error.model_dump(by_alias=True, mode="json", exclude_none=True)
        if self.questions is not None:
            details["inputRequests"] = dict(self.questions)
        return {**self._fields(), **details}

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "taskId": self.task_id,
            "status": self.status,
            "createdAt": self.created_at.isoformat(),
            "lastUpdatedAt": self.updated_at.isoformat(),
            "ttlMs": None if self.lifetime is None else _milliseconds(self.lifetime.total_seconds()),
        }
        if self.message:
            fields["statusMessage"] = self.message
        if self.poll_seconds is not None:
            fields["pollIntervalMs"] = _milliseconds(self.poll_seconds)
        return fields


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1_000))  # source: the extension; both are positive integers


class Work(Protocol):
    """What starts jobs and knows how they stand; a task that it does not know is None, or False.

    A task of somebody else is one that it does not know.
    """

    async def begun(self, ctx: Asking, params: CallToolRequestParams, result: CallToolResult) -> TaskState | None:
        """Return the task of the job that a call started, durable already; None if the answer is no job's handle."""
        ...

    async def state(self, ctx: Asking, task_id: str) -> TaskState | None:
        """Return how a task stands."""
        ...

    async def answer(self, ctx: Asking, task_id: str, responses: Mapping[str, Any]) -> bool:
        """Hand answers to a task; those to questions that it does not ask are passed over."""
        ...

    async def cancel(self, ctx: Asking, task_id: str) -> bool:
        """Stop a task if it can be stopped; what came of it shows in its state."""
        ...

    async def watched(self, ctx: Asking, task_id: str) -> str | None:
        """Return the URI of the resource that changes when the task does."""
        ...
