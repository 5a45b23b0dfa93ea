"""A desk over the real service, with a clock that moves when somebody waits."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from recontact_service.faults import Faults
from recontact_service.running import RunningService
from recontact_tools.desk import Desk
from recontact_tools.errors import Detail
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import IdType, Job, JobKind, TargetGroup
from recontact_tools.policy import Policy
from recontact_tools.sealing import Seal

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
ANYTHING = Policy(read_only=False, accounts=None, projects=None, target_groups=None)
# A key of these tests, and how long snapshots are kept in them.
SEAL = Seal(lambda: bytes(32))
KEPT = timedelta(days=30)
IDS = [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(3)]


@dataclass
class Setting:
    """One desk, what it stands on, and what was told to subscribers."""

    service: RunningService
    faults: Faults
    moment: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)
    waits: list[float] = field(default_factory=list[float])
    published: list[str] = field(default_factory=list[str])
    desk: Desk = field(init=False)

    def another_desk(self) -> Desk:
        """Return a desk over the same, for an engine that closes it."""
        desk = self.desk
        return Desk(desk.gateway, desk.ledger, desk.clock, pace=0.0, policy=ANYTHING, seal=SEAL, snapshots_kept=KEPT)

    def now(self) -> datetime:
        """Return this test's time."""
        return self.moment

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and let the service do what is due."""
        self.waits.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await self.service.advance()

    async def publish(self, *uris: str) -> None:
        """Remember what subscribers were told."""
        self.published.extend(uris)

    async def intend(self, intent_id: str, kind: JobKind, ids: list[str] | None = None) -> Intent:
        """Write a planned intent down."""
        upload = kind is JobKind.UPLOAD
        intent = Intent(
            intent_id=intent_id,
            kind=kind,
            principal="local",
            group=GROUP,
            id_type=IdType.RSID if upload else None,
            file_name=f"recontacts-{intent_id}.csv" if upload else None,
            ids=len(ids or []),
            stored_before=0,
            state=IntentState.PLANNED,
            job_id=None,
            job=None,
            error=None,
            plan_id=None,
            created_at=self.moment,
            updated_at=self.moment,
            settled_by=None,
        )
        payload = "".join(f"{line}\n" for line in ids or []).encode() if upload else None
        await self.desk.ledger.open_intent(intent, payload=payload)
        return intent

    async def recorded(self, intent_id: str) -> Intent:
        """Return an intent that was written."""
        intent = await self.desk.ledger.get(intent_id)
        assert intent is not None
        return intent

    async def finished_job(self, intent_id: str) -> tuple[IntentState, Job]:
        """Return the state of an intent and the job it ended with."""
        intent = await self.recorded(intent_id)
        assert intent.job is not None
        return intent.state, intent.job

    async def failure(self, intent_id: str) -> tuple[IntentState, dict[str, Detail]]:
        """Return the state of an intent and what it was answered with."""
        intent = await self.recorded(intent_id)
        assert intent.error is not None
        return intent.state, intent.error
