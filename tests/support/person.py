"""A person who decides about plans outside the client, in another process as far as the server can tell."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from recontact_mcp.decided import decisions_of
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.storage import opened_storage
from recontact_tools.deciding import Decisions, announcing
from recontact_tools.guardrails import phrase_of
from recontact_tools.ledger import Approval


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the ledger, known as *name*."""

    decisions: Decisions
    name: str = "local"

    async def approves(self, code: str, typed: str | None = None) -> Approval:
        """Approve a plan as a person does who copies the phrase, or types something else."""
        found = await self.decisions.find(code, who=self.name)
        phrase = phrase_of(found.plan) if typed is None else typed
        return await self.decisions.approve(found.plan.plan_id, who=self.name, typed=phrase, method="test")

    async def denies(self, code: str) -> Approval:
        """Deny a plan."""
        found = await self.decisions.find(code, who=self.name)
        return await self.decisions.deny(found.plan.plan_id, who=self.name)


@asynccontextmanager
async def person_at(settings: Settings, effects: Effects, name: str = "local") -> AsyncGenerator[Person]:
    """Let a person sit at a data directory, or a database, that a server has opened, or will open."""
    storage = await opened_storage(settings)
    ledger = storage.ledger
    try:
        yield Person(decisions_of(settings, ledger, effects.clock, None, announcing(ledger)), name)
    finally:
        await storage.aclose()
