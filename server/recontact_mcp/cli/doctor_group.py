"""The doctor's looks at one target group: is it where it is said to be, and which operations does its account have."""

from contextlib import suppress
from functools import partial

from recontact_mcp.cli import doctor_answers as answers
from recontact_mcp.cli.findings import Finding, Look
from recontact_mcp.decided import policy_of
from recontact_mcp.settings import Settings
from recontact_mcp.storage import existing_ledger
from recontact_tools.errors import NotFound, RecontactError
from recontact_tools.explaining import why_not_found
from recontact_tools.gateway import Gateway
from recontact_tools.guardrails.pasted import Pasted
from recontact_tools.ledger import LedgerFault
from recontact_tools.models import TargetGroup

GROUP, OPERATIONS = "Target group", "Newer operations"
GROUP_STAGES = (GROUP, OPERATIONS)
NAME_ONE = "Name one with --target-group: its id, or its Cint URL."


class GroupLooks:
    """Two looks, the second at the group that the first one found; both only read."""

    def __init__(self, settings: Settings, gateway: Gateway, named: Pasted | None) -> None:
        self._settings = settings
        self._gateway = gateway
        self._named = named
        self._group: TargetGroup | None = None

    @property
    def looks(self) -> tuple[tuple[str, Look], ...]:
        """The looks with their names, in their order."""
        return (GROUP, self.group), (OPERATIONS, self.operations)

    async def group(self) -> Finding:
        """Look whether the target group is in the account and project that are named, configured, or remembered."""
        group: TargetGroup | None = None
        try:
            group = await self._found()
            if group is None:
                return Finding(GROUP, "skip", "not looked at: none is known here", NAME_ONE)
            count = await self._gateway.get_overview(group)
        except NotFound as error:
            return answers.group_not_found(GROUP, await self._explained(group, error))
        except RecontactError as error:
            return Finding(GROUP, "fail", error.message, error.next_step)
        self._group = group
        where = f"{group.target_group_id} of account {group.account_id}, project {group.project_id}"
        return Finding(GROUP, "ok", f"{where}: {count:,} IDs are stored")

    async def operations(self) -> Finding:
        """Look which of the newer operations there are; only a target group that is there can tell."""
        if self._group is None:
            return Finding(OPERATIONS, "skip", "not looked at: only an existing target group tells", NAME_ONE)
        try:
            return answers.features(OPERATIONS, await self._gateway.features(self._group))
        except RecontactError as error:
            return Finding(OPERATIONS, "fail", error.message, error.next_step)

    async def _explained(self, group: TargetGroup | None, error: NotFound) -> NotFound:
        """Return what the tools would say of it; *error* as it was, if that cannot be found out."""
        if group is not None:
            with suppress(RecontactError):
                recorded = partial(recorded_places, self._settings)
                return await why_not_found(self._gateway, policy_of(self._settings), group, recorded=recorded)
        return error

    async def _found(self) -> TargetGroup | None:
        """Return the group that was named, else the one that a job was started for last."""
        if self._named is None:
            return await last_used(self._settings)
        account = self._named.account_id or self._settings.account_id
        project = self._named.project_id or self._settings.project_id
        if account is None or project is None:
            return await self._gateway.target_groups.find(self._named.target_group_id)
        return TargetGroup(account, project, self._named.target_group_id)


async def last_used(settings: Settings) -> TargetGroup | None:
    """Return the target group that a job was started for last; what is wrong with the ledger is said elsewhere."""
    with suppress(LedgerFault):
        async with existing_ledger(settings) as ledger:
            for target_group_id in await ledger.known_target_groups("", 1):
                return next(iter(await ledger.places(target_group_id)), None)
    return None


async def recorded_places(settings: Settings, target_group_id: str) -> tuple[TargetGroup, ...]:
    """Return under which accounts and projects jobs of a target group were accepted from this data directory."""
    with suppress(LedgerFault):
        async with existing_ledger(settings) as ledger:
            return await ledger.places(target_group_id)
    return ()
