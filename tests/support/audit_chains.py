"""A trail in memory, written by what the ledger does, and the moves that write it."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode
from recontact_tools.ledger import IntentState, LedgerFault, Plan, PlanState, audit, intents, plans, repeats
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.entries import Event, Evidence, about
from recontact_tools.ledger.faults import ActiveIntent, KeyTaken
from recontact_tools.ledger.migrations import migrate
from recontact_tools.ledger.records import Intent
from recontact_tools.ledger.sqlite_connection import SqliteConnection, writing
from recontact_tools.models import Job, JobKind, TargetGroup

if TYPE_CHECKING:
    from recontact_tools.ledger.states import SettledBy

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
TRIGGERS = ("audit_is_never_changed", "audit_is_never_deleted", "audit_is_a_chain")

Move = Callable[[Connection], object]


class Crash(Exception):
    """The process dies after the move and before its transaction is kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """One move of the ledger, and whether its process dies in it."""

    name: str
    move: Move
    crashes: bool

    def take(self, connection: SqliteConnection) -> None:
        """Move, or be refused, or die; the last two leave nothing behind."""
        with suppress(LedgerFault, ActiveIntent, KeyTaken, Crash), writing(connection):
            self.move(connection)
            if self.crashes:
                raise Crash


@contextmanager
def in_memory() -> Generator[SqliteConnection]:
    """Open an empty ledger of this test."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=SqliteConnection)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    try:
        yield connection
    finally:
        connection.close()


def group_of(number: int) -> TargetGroup:
    return replace(GROUP, account_id=101 + number)


def intent_of(number: int) -> Intent:
    return Intent(
        intent_id=f"I{number}",
        kind=JobKind.REMOVAL if number % 3 == 0 else JobKind.UPLOAD,
        principal="ann",
        group=group_of(number % 2),
        ids=3,
        stored_before=0,
        state=IntentState.PLANNED,
        created_at=NOW,
        updated_at=NOW,
    )


def plan_of(number: int) -> Plan:
    return Plan(f"P{number}", "ann", group_of(number % 2), 7, NOW, NOW + timedelta(minutes=10), PlanState.OPEN)


def moves_of(number: int) -> dict[str, Move]:
    """Return every move about one intent and one plan."""
    intent_id, plan_id = f"I{number}", f"P{number}"
    error = {"code": "REFUSED", "message": "no"}
    job = Job(f"J{number}", "Failed" if number == 1 else "Completed")
    settled: SettledBy = "overview" if number == 2 else "job"
    return {
        "open": lambda connection: repeats.open_once(connection, intent_of(number), None),
        "send": lambda connection: intents.send_once(connection, intent_id, NOW),
        "withdraw": lambda connection: intents.withdraw(connection, intent_id, dict(error), NOW),
        "start": lambda connection: intents.start(connection, intent_id, f"J{number}", NOW, found=False),
        "find": lambda connection: intents.start(connection, intent_id, f"J{number}", NOW, found=True),
        "finish": lambda connection: intents.finish(connection, intent_id, job, NOW, settled),
        "refuse": lambda connection: intents.give_up(connection, intent_id, IntentState.REFUSED, dict(error), NOW),
        "lose": lambda connection: intents.give_up(connection, intent_id, IntentState.UNKNOWN, dict(error), NOW),
        "plan": lambda connection: plans.record(connection, plan_of(number)),
        "agree": lambda connection: plans.spend(connection, plan_id, "ann", NOW, Evidence.CLIENT_ELICITED),
        "decline": lambda connection: plans.close(connection, plan_id, NOW, ErrorCode.CONFIRMATION_DECLINED),
        "note": lambda connection: audit.append(
            connection, about(GROUP, Event.SNAPSHOT_BEGUN, "snapshot", at=NOW, principal="ann", pages=number)
        ),
    }


def step_of(number: int, name: str, *, crashes: bool = False) -> Step:
    """Return a step by the name of its move."""
    return Step(name, moves_of(number)[name], crashes)


STEPS = st.builds(
    step_of,
    number=st.integers(0, 3),
    name=st.sampled_from(sorted(moves_of(0))),
    crashes=st.sampled_from([False, False, False, True]),
)


def written(connection: SqliteConnection, entries: int) -> None:
    """Write that many entries."""
    for number in range(entries):
        step_of(number, "note").take(connection)


def unguarded(connection: SqliteConnection) -> None:
    """Take the database's own guards away, as somebody who holds the file can."""
    for trigger in TRIGGERS:
        connection.execute(f"DROP TRIGGER {trigger}")
