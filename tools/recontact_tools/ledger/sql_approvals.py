"""The `Approvals` of a ledger, and what goes with them: attempts that are counted, values used once, passkeys."""

from datetime import datetime

from recontact_tools.ledger import approvals
from recontact_tools.ledger.approval_interface import Approval, Passkey
from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Database, Row
from recontact_tools.ledger.entries import Entry, Event, Evidence
from recontact_tools.ledger.records import Plan
from recontact_tools.ledger.rows import instant


class SqlApprovals:
    """The `Approvals` on the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, plan: Plan, code: str) -> Approval:
        """See `Approvals.ask`."""
        return await self._database.write(lambda connection: approvals.ask(connection, plan, code))

    async def of_plan(self, plan_id: str) -> Approval | None:
        """See `Approvals.of_plan`."""
        return await self._database.read(lambda connection: approvals.of_plan(connection, plan_id))

    async def by_code(self, code: str) -> Approval | None:
        """See `Approvals.by_code`."""
        return await self._database.read(lambda connection: approvals.by_code(connection, code))

    async def awaited(self, principal: str, *, now: datetime) -> tuple[Approval, ...]:
        """See `Approvals.awaited`."""
        return await self._database.read(lambda connection: approvals.awaited(connection, principal, now))

    async def pending(self, principal: str | None, *, now: datetime, limit: int) -> tuple[Approval, ...]:
        """See `Approvals.pending`."""
        return await self._database.read_in_thread(
            lambda connection: approvals.pending(connection, principal, now, limit)
        )

    async def approve(
        self, plan_id: str, *, approver: str, evidence: Evidence, receipt: str, digest: str, now: datetime
    ) -> bool:
        """See `Approvals.approve`."""
        return await self._database.write(
            lambda connection: approvals.approve(
                connection, plan_id, approver=approver, evidence=evidence, receipt=receipt, digest=digest, now=now
            )
        )

    async def deny(self, plan_id: str, *, approver: str, now: datetime) -> bool:
        """See `Approvals.deny`."""
        return await self._database.write(lambda connection: approvals.deny(connection, plan_id, approver, now))

    async def attempts(self, who: str, *, now: datetime, since: datetime, most: int) -> int:
        """See `Approvals.attempts`."""
        # Read first: whoever goes on trying takes no writer's turn from others.
        made = await self._database.read(lambda connection: _attempts_of(connection, who, since))
        if made >= most:
            return most + 1
        return await self._database.write(lambda connection: _attempt(connection, who, now, since, most))

    async def issue(self, digest: str, purpose: str, subject: str, *, now: datetime, expires_at: datetime) -> None:
        """See `Approvals.issue`."""
        await self._database.write(lambda connection: _issue(connection, (digest, purpose, subject), now, expires_at))

    async def redeem(self, digest: str, purpose: str, *, now: datetime) -> str | None:
        """See `Approvals.redeem`."""
        return await self._database.write(lambda connection: _redeem(connection, digest, purpose, now))

    async def issued(self, digest: str, purpose: str, *, now: datetime) -> bool:
        """See `Approvals.issued`."""
        return await self._database.read(lambda connection: _issued(connection, digest, purpose, now))

    async def add_passkey(self, passkey: Passkey) -> bool:
        """See `Approvals.add_passkey`."""
        return await self._database.write(lambda connection: _add_passkey(connection, passkey))

    async def passkeys(self, principal: str) -> tuple[Passkey, ...]:
        """See `Approvals.passkeys`."""
        return await self._database.read(lambda connection: _passkeys(connection, principal))

    async def note_signed(self, credential_id: str, signed: int) -> None:
        """See `Approvals.note_signed`."""
        await self._database.write(lambda connection: _note_signed(connection, credential_id, signed))


def _attempts_of(connection: Connection, who: str, since: datetime) -> int:
    row = connection.execute(
        "SELECT count(*) AS found FROM approval_attempts WHERE who = ? AND at >= ?", (who, instant(since))
    ).fetchone()
    return int(row["found"])


def _attempt(connection: Connection, who: str, now: datetime, since: datetime, most: int) -> int:
    made = _attempts_of(connection, who, since)
    if made < most:
        connection.execute("DELETE FROM approval_attempts WHERE at < ?", (instant(since),))
        connection.execute("INSERT INTO approval_attempts (who, at) VALUES (?, ?)", (who, instant(now)))
    return made + 1


def _issue(connection: Connection, value: tuple[str, str, str], now: datetime, expires_at: datetime) -> None:
    connection.execute("DELETE FROM used_once WHERE expires_at <= ?", (instant(now),))
    connection.execute(
        "INSERT INTO used_once (digest, purpose, subject, expires_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (digest) DO NOTHING",
        (*value, instant(expires_at)),
    )


def _redeem(connection: Connection, digest: str, purpose: str, now: datetime) -> str | None:
    row = connection.execute(
        "DELETE FROM used_once WHERE digest = ? AND purpose = ? AND expires_at > ? RETURNING subject",
        (digest, purpose, instant(now)),
    ).fetchone()
    return None if row is None else str(row["subject"])


def _issued(connection: Connection, digest: str, purpose: str, now: datetime) -> bool:
    row = connection.execute(
        "SELECT 1 FROM used_once WHERE digest = ? AND purpose = ? AND expires_at > ?", (digest, purpose, instant(now))
    ).fetchone()
    return row is not None


def _add_passkey(connection: Connection, passkey: Passkey) -> bool:
    written = connection.execute(
        "INSERT INTO passkeys (credential_id, principal, public_key, signed, created_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (credential_id) DO NOTHING",
        (
            passkey.credential_id,
            passkey.principal,
            passkey.public_key,
            passkey.signed,
            instant(passkey.created_at),
        ),
    )
    if written.rowcount == 1:
        append(
            connection,
            Entry(
                at=passkey.created_at,
                principal=passkey.principal,
                event=Event.PASSKEY_REGISTERED,
                subject="passkey",
            ),
        )
    return written.rowcount == 1


def _passkeys(connection: Connection, principal: str) -> tuple[Passkey, ...]:
    rows = connection.execute(
        "SELECT credential_id, principal, public_key, signed, created_at FROM passkeys WHERE principal = ? "
        "ORDER BY created_at, credential_id",
        (principal,),
    )
    return tuple(_passkey_from(row) for row in rows.fetchall())


def _passkey_from(row: Row) -> Passkey:
    return Passkey(
        credential_id=row["credential_id"],
        principal=row["principal"],
        public_key=bytes(row["public_key"]),
        signed=row["signed"],
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def _note_signed(connection: Connection, credential_id: str, signed: int) -> None:
    connection.execute("UPDATE passkeys SET signed = ? WHERE credential_id = ?", (signed, credential_id))
