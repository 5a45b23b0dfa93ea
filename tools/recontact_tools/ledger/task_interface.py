"""Tasks as the rest of the product sees them: names that clients have for jobs; the jobs themselves are intents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recontact_tools.models import JobKind, TargetGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Whose name for which job, until when it may be used; *note* is what was last said to who asked to stop it."""

    task_id: str
    principal: str
    kind: JobKind
    group: TargetGroup
    job_id: str
    created_at: datetime
    expires_at: datetime
    updated_at: datetime
    note: str | None = None


class Tasks(Protocol):
    """The tasks of a ledger; every write is durable when its call returns. Times are aware."""

    async def bind(self, task: Task) -> Task:
        """Write a task, or find the one that its principal has for the same job; expired ones are forgotten."""
        ...

    async def find(self, task_id: str, *, principal: str, now: datetime) -> Task | None:
        """Return a task that has not expired; None too if it is of another principal."""
        ...

    async def note(self, task_id: str, note: str, *, now: datetime) -> None:
        """Remember what was said to somebody who asked to stop the job; a later note takes the place of an earlier."""
        ...
