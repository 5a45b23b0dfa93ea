"""What the durable engine is handed: the id of something on record, and the workflow that brings it to its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recontact_tools.ledger.records import PROVED_WITHIN
from recontact_tools.models import JobKind

if TYPE_CHECKING:
    from datetime import datetime

    from recontact_tools.ledger import Intent, Ledger, Replacement


class Workflow(StrEnum):
    """The durable workflows, by the names under which the engine knows them; never rename one."""

    UPLOAD = "upload"
    REMOVE_ALL = "remove_all"
    REPLACE = "replace"


_OF_KIND = {JobKind.UPLOAD: Workflow.UPLOAD, JobKind.REMOVAL: Workflow.REMOVE_ALL}


@dataclass(frozen=True, slots=True)
class Work:
    """One run of a workflow.

    *round* is another whenever a job was found again, for the run that gave it up has ended.
    """

    work_id: str
    workflow: Workflow
    target_group_id: str
    created_at: datetime
    round: int = 0

    @property
    def run_id(self) -> str:
        """The engine's id of this run."""
        return f"{self.work_id}-{self.round}" if self.round else self.work_id


def work_on_intent(intent: Intent) -> Work:
    """Return what brings an intent to its end."""
    return Work(
        intent.intent_id, _OF_KIND[intent.kind], intent.group.target_group_id, intent.created_at, intent.adoptions
    )


def work_on_replacement(replacement: Replacement) -> Work:
    """Return what brings a replacement to its end."""
    return Work(replacement.replacement_id, Workflow.REPLACE, replacement.group.target_group_id, replacement.created_at)


async def unsettled_work(ledger: Ledger, *, now: datetime) -> tuple[Work, ...]:
    """Return all that was begun and has not ended, whoever began it; a restore ends with its proof."""
    unproved = [one for one in await ledger.unproved() if now - one.updated_at < PROVED_WITHIN]
    intents, replacements = await ledger.unsettled(), await ledger.replacements.unsettled()
    return (*map(work_on_intent, (*unproved, *intents)), *map(work_on_replacement, replacements))


async def work_of(ledger: Ledger, work_id: str) -> Work:
    """Return what brings an intent or a replacement to its end; it was written before."""
    intent = await ledger.get(work_id)
    if intent is not None:
        return work_on_intent(intent)
    replacement = await ledger.replacements.get(work_id)
    if replacement is None:
        raise AssertionError("what is handed to the engine was written first")
    return work_on_replacement(replacement)
