"""The ledger on a database: a SQLite file that every process of a data directory shares, or PostgreSQL."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

from anyio import to_thread

from recontact_tools.errors import Detail, ErrorCode
from recontact_tools.ledger import intent_reads, intents, known, plans, repeats
from recontact_tools.ledger.database import Database
from recontact_tools.ledger.elsewhere import SqlElsewhere
from recontact_tools.ledger.entries import Evidence
from recontact_tools.ledger.records import Duration, Intent, Plan, Proof
from recontact_tools.ledger.sql_approvals import SqlApprovals
from recontact_tools.ledger.sql_audit import SqlAudit
from recontact_tools.ledger.sql_replacements import SqlReplacements
from recontact_tools.ledger.sql_snapshots import SqlSnapshots
from recontact_tools.ledger.sql_tickets import SqlTickets
from recontact_tools.ledger.sqlite_file import SqliteFile
from recontact_tools.ledger.states import IntentState, SettledBy
from recontact_tools.ledger.tasks import SqlTasks
from recontact_tools.ledger.ticket_interface import Spending
from recontact_tools.ledger.updates import SqlUpdates
from recontact_tools.ledger.usage import SqlUsage
from recontact_tools.models import Caps, Job, JobKind, TargetGroup


class SqlLedger:
    """The `Ledger` on any `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.snapshots = SqlSnapshots(database)
        self.replacements = SqlReplacements(database)
        self.tasks = SqlTasks(database)
        self.tickets = SqlTickets(database)
        self.audit = SqlAudit(database)
        self.updates = SqlUpdates(database)
        self.elsewhere = SqlElsewhere(database)
        self.usage = SqlUsage(database)
        self.approvals = SqlApprovals(database)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger at *path*, which is created, mode 0600, when it is missing.

        Raises:
            LedgerUnavailable: the file is not a ledger, or one of a newer version.
            OSError: the directory cannot be used.
        """
        return cls(SqliteFile.open(path))

    @classmethod
    async def connect(cls, url: str, schema: str, *, make: bool = True) -> Self:
        """Open the ledger in a *schema* of the PostgreSQL database at *url*, which we *make* where it is missing.

        Raises:
            NoLedger: there is none, and none is to be made.
            LedgerUnavailable: the server does not answer, refuses us, or the ledger is one of a newer version.
        """
        from recontact_tools.ledger.postgres_database import PostgresDatabase  # noqa: PLC0415 - a stdio server on files pays for no second driver

        return cls(await to_thread.run_sync(partial(PostgresDatabase.open, url, schema, make=make)))

    async def digest(self, *parts: bytes) -> str:
        """See `Ledger.digest`."""
        return await self._database.read_in_thread(lambda connection: repeats.digest(connection, parts))

    async def pinned(self, name: str, value: bytes) -> bytes:
        """See `Ledger.pinned`."""
        found = await self._database.read(lambda connection: repeats.pinned(connection, name))
        if found is not None:
            return found
        return await self._database.write(lambda connection: repeats.pin(connection, name, value))

    async def open_intent(
        self, intent: Intent, *, payload: bytes | None, spending: Spending | None = None, caps: Caps | None = None
    ) -> Intent:
        """See `Ledger.open_intent`."""
        if intent.state is not IntentState.PLANNED:
            raise ValueError("an intent is written before anything is done about it")
        return await self._database.write(
            lambda connection: repeats.open_once(connection, intent, payload, spending=spending, caps=caps)
        )

    async def standing(self, intent: Intent) -> Intent | None:
        """See `Ledger.standing`."""
        return await self._database.read(lambda connection: repeats.standing(connection, intent))

    async def payload(self, intent_id: str) -> bytes:
        """See `Ledger.payload`."""
        return await self._database.read_in_thread(lambda connection: intent_reads.payload(connection, intent_id))

    async def mark_sending(self, intent_id: str, *, now: datetime) -> bool:
        """See `Ledger.mark_sending`."""
        return await self._database.write(lambda connection: intents.send_once(connection, intent_id, now))

    async def withdraw(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """See `Ledger.withdraw`."""
        return await self._database.write(
            lambda connection: intents.withdraw(connection, intent_id, error, now), scrubs=True
        )

    async def mark_started(self, intent_id: str, *, job_id: str, now: datetime, found: bool = False) -> None:
        """See `Ledger.mark_started`."""
        await self._database.write(
            lambda connection: intents.start(connection, intent_id, job_id, now, found=found), scrubs=True
        )

    async def note_job(self, intent_id: str, job: Job, *, now: datetime) -> bool:
        """See `Ledger.note_job`."""
        seen = await self._database.read(lambda connection: intent_reads.existing(connection, intent_id))
        if not intents.is_news(seen, job):
            return False  # most looks show nothing new, and cost no write
        return await self._database.write(lambda connection: intents.note(connection, intent_id, job, now))

    async def mark_finished(self, intent_id: str, job: Job, *, now: datetime, settled_by: SettledBy) -> None:
        """See `Ledger.mark_finished`."""
        await self._database.write(
            lambda connection: intents.finish(connection, intent_id, job, now, settled_by), scrubs=True
        )

    async def note_stored_after(self, intent_id: str, count: int) -> None:
        """See `Ledger.note_stored_after`."""
        await self._database.write(lambda connection: intents.note_stored_after(connection, intent_id, count))

    async def note_proof(self, intent_id: str, proof: Proof, *, now: datetime) -> None:
        """See `Ledger.note_proof`."""
        await self._database.write(lambda connection: intents.note_proof(connection, intent_id, proof, now))

    async def mark_refused(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> None:
        """See `Ledger.mark_refused`."""
        await self._give_up(intent_id, IntentState.REFUSED, error, now)

    async def mark_unknown(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> None:
        """See `Ledger.mark_unknown`."""
        await self._give_up(intent_id, IntentState.UNKNOWN, error, now)

    async def _give_up(self, intent_id: str, new: IntentState, error: dict[str, Detail], now: datetime) -> None:
        await self._database.write(
            lambda connection: intents.give_up(connection, intent_id, new, error, now), scrubs=True
        )

    async def get(self, intent_id: str) -> Intent | None:
        """See `Ledger.get`."""
        return await self._database.read(lambda connection: intent_reads.one(connection, intent_id))

    async def find_job(self, kind: JobKind, job_id: str, group: TargetGroup | None) -> Intent | None:
        """See `Ledger.find_job`."""
        return await self._database.read(lambda connection: intent_reads.by_job(connection, kind, job_id, group))

    async def active(self, group: TargetGroup) -> Intent | None:
        """See `Ledger.active`."""
        return await self._database.read(lambda connection: intent_reads.active(connection, group))

    async def unsettled(self) -> tuple[Intent, ...]:
        """See `Ledger.unsettled`."""
        return await self._database.read_in_thread(intent_reads.unsettled)

    async def unproved(self) -> tuple[Intent, ...]:
        """See `Ledger.unproved`."""
        return await self._database.read_in_thread(intent_reads.unproved)

    async def recent(
        self, target_group_id: str | None = None, *, principal: str | None = None, limit: int
    ) -> tuple[Intent, ...]:
        """See `Ledger.recent`."""
        return await self._database.read_in_thread(
            lambda connection: intent_reads.recent(connection, target_group_id, principal, limit)
        )

    async def record_plan(self, plan: Plan) -> None:
        """See `Ledger.record_plan`."""
        await self._database.write(lambda connection: plans.record(connection, plan))

    async def open_plan(self, principal: str, group: TargetGroup, *, now: datetime) -> Plan | None:
        """See `Ledger.open_plan`."""
        return await self._database.read(lambda connection: plans.usable(connection, principal, group, now))

    async def spend_plan(
        self, plan_id: str, *, principal: str, now: datetime, evidence: Evidence = Evidence.CLIENT_ELICITED
    ) -> bool:
        """See `Ledger.spend_plan`."""
        return await self._database.write(lambda connection: plans.spend(connection, plan_id, principal, now, evidence))

    async def close_plan(self, plan_id: str, *, now: datetime, code: ErrorCode = ErrorCode.PLAN_NOT_VALID) -> None:
        """See `Ledger.close_plan`."""
        await self._database.write(lambda connection: plans.close(connection, plan_id, now, code))

    async def places(self, target_group_id: str) -> tuple[TargetGroup, ...]:
        """See `Ledger.places`."""
        return await self._database.read(lambda connection: known.places(connection, target_group_id))

    async def durations(self, kind: JobKind, account_id: int, *, ids_min: int, limit: int) -> tuple[Duration, ...]:
        """See `Ledger.durations`."""
        return await self._database.read(
            lambda connection: known.durations(connection, kind, account_id, ids_min, limit)
        )

    async def changed_since(self, intent_id: str) -> bool:
        """See `Ledger.changed_since`."""
        return await self._database.read(lambda connection: known.changed_since(connection, intent_id))

    async def known_target_groups(self, prefix: str, limit: int) -> tuple[str, ...]:
        """See `Ledger.known_target_groups`."""
        return await self._database.read_in_thread(lambda connection: known.groups(connection, prefix, limit))

    async def known_jobs(self, kind: JobKind, group: TargetGroup | None, *, prefix: str, limit: int) -> tuple[str, ...]:
        """See `Ledger.known_jobs`."""
        return await self._database.read_in_thread(
            lambda connection: known.jobs(connection, kind, group, prefix, limit)
        )

    async def aclose(self) -> None:
        """See `Ledger.aclose`."""
        await self._database.aclose()
