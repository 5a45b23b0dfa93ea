"""The replacements on SQLite."""

from datetime import datetime

from recontact_tools.errors import Detail
from recontact_tools.ledger import intent_reads, replacing
from recontact_tools.ledger.database import Database
from recontact_tools.ledger.records import Intent, Proof, Replacement
from recontact_tools.ledger.states import Stage
from recontact_tools.ledger.ticket_interface import Spending
from recontact_tools.models import Caps, TargetGroup


class SqlReplacements:
    """See `Replacements`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, replacement: Replacement, *, spending: Spending | None = None, caps: Caps | None = None
    ) -> Replacement:
        """See `Replacements.open`."""
        return await self._database.write(
            lambda connection: replacing.open_once(connection, replacement, spending=spending, caps=caps)
        )

    async def standing(self, replacement: Replacement) -> Replacement | None:
        """See `Replacements.standing`."""
        return await self._database.read(lambda connection: replacing.standing(connection, replacement))

    async def get(self, replacement_id: str) -> Replacement | None:
        """See `Replacements.get`."""
        return await self._database.read(lambda connection: replacing.one(connection, replacement_id))

    async def active(self, group: TargetGroup) -> Replacement | None:
        """See `Replacements.active`."""
        return await self._database.read(lambda connection: replacing.active(connection, group))

    async def unsettled(self) -> tuple[Replacement, ...]:
        """See `Replacements.unsettled`."""
        return await self._database.read_in_thread(replacing.unsettled)

    async def recent(
        self, target_group_id: str | None = None, *, principal: str | None = None, limit: int
    ) -> tuple[Replacement, ...]:
        """See `Replacements.recent`."""
        return await self._database.read_in_thread(
            lambda connection: replacing.recent(connection, target_group_id, principal, limit)
        )

    async def move(
        self,
        replacement_id: str,
        old: Stage,
        new: Stage,
        *,
        now: datetime,
        error: dict[str, Detail] | None = None,
        proof: Proof | None = None,
    ) -> bool:
        """See `Replacements.move`."""
        return await self._database.write(
            lambda connection: replacing.moved(connection, replacement_id, old, new, now, error, proof)
        )

    async def withdraw(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """See `Replacements.withdraw`."""
        return await self._database.write(lambda connection: replacing.withdraw(connection, replacement_id, error, now))

    async def turn_back(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """See `Replacements.turn_back`."""
        return await self._database.write(
            lambda connection: replacing.turn_back(connection, replacement_id, error, now)
        )

    async def parts(self, replacement_id: str) -> tuple[Intent, ...]:
        """See `Replacements.parts`."""
        return await self._database.read_in_thread(
            lambda connection: intent_reads.of_parent(connection, replacement_id)
        )

    async def try_again(self, replacement_id: str, attempts: int) -> None:
        """See `Replacements.try_again`."""
        await self._database.write(lambda connection: replacing.try_again(connection, replacement_id, attempts))
