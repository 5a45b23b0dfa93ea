"""What an operation works with: the ways down, the rules, and where time comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import anyio

from recontact_tools.ending import Ending
from recontact_tools.ledger import Evidence
from recontact_tools.places import Places
from recontact_tools.shared_looks import SharedLooks
from recontact_tools.watched import publish_nothing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from recontact_tools.gateway import Gateway
    from recontact_tools.ledger import Ledger
    from recontact_tools.models import Caps
    from recontact_tools.policy import Policy
    from recontact_tools.sealing import Seal
    from recontact_tools.watched import Publish


class Engine(Protocol):
    """What runs an intent or a replacement to its end, in this process or in the sibling that executes."""

    async def submit(self, work_id: str, /) -> None:
        """Start the workflow of an intent or a replacement; what was submitted before is not started twice."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: aware UTC datetimes, and a sleep that a test can replace."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


@dataclass(frozen=True, slots=True)
class Staging:
    """How files are staged: the origin that takes them, None where nobody knows it, how long and how large."""

    origin: str | None
    seconds: float
    bytes_max: int


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """How sure it must be that a person agreed, and who may agree outside the client.

    *url* is where people do so over HTTP; None where this machine's own browser and terminal are the place.
    *passkey* is whether nobody may agree without one.
    """

    minimum: Evidence
    seconds: float
    url: str | None
    two_person: bool
    approvers: frozenset[str]
    passkey: bool

    def are_met_by(self, evidence: Evidence) -> bool:
        """Tell whether it is sure enough that a person agreed; no client vouches for a second one, or a passkey."""
        outside = self.two_person or self.passkey
        return evidence.suffices(Evidence.HUMAN_OOB if outside else self.minimum)


def strictest() -> ApprovalRules:
    """Return the rules under which nobody can agree: forgetting to say others opens no door."""
    return ApprovalRules(Evidence.HUMAN_OOB, 600.0, None, two_person=True, approvers=frozenset(), passkey=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided; nothing a client sends can change it."""

    policy: Policy
    account_id: int | None
    project_id: str | None
    upload_roots: tuple[Path, ...]
    local_files: bool
    pace: float
    plan_seconds: float
    compare_pages: int  # pages of 100 stored RSIDs that one comparison may read
    snapshots_kept: timedelta  # from when a snapshot is taken until it is deleted
    template_id: str  # the allocation template that recontact target groups are to have
    staging: Staging | None = None  # None where files are read from this machine instead
    approval: ApprovalRules = field(default_factory=strictest)
    caps: Caps | None = None  # of whoever asks, by the day; None: nothing is counted


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything an operation may touch; *principal* is who asks, *places* and *looks* what this process remembers.

    *claims* is what the token of whoever asks says of them, as it is kept with the work that they start.
    *publish* is told the URIs of what changed; *ending* says when waits must come back.
    """

    rules: Rules
    gateway: Gateway
    ledger: Ledger
    engine: Engine
    clock: Clock
    new_id: Callable[[], str]
    principal: str
    seal: Seal
    places: Places = field(default_factory=Places)
    looks: SharedLooks = field(default_factory=SharedLooks)
    publish: Publish = publish_nothing
    ending: Ending = field(default_factory=Ending)
    claims: str | None = None
