"""The doctor's way through the API's stages: each one only if those before it did not fail."""

# Imports stand inside the functions that need them: settings that do not fit are reported at once.
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING

from recontact_mcp.cli import doctor_checks as look
from recontact_mcp.cli.findings import Finding, skipped, until_one_fails

if TYPE_CHECKING:
    from recontact_mcp.cli.findings import Look
    from recontact_mcp.settings import Settings
    from recontact_tools.guardrails.pasted import Pasted


async def examine_api(settings: "Settings", named: "Pasted | None", *, usable: bool) -> list[Finding]:
    """Look at everything between this machine and a target group; nothing is changed anywhere.

    Where the data directory is not *usable*, nothing of it is looked at.
    """
    from recontact_mcp.cli.doctor_group import GROUP_STAGES, GroupLooks
    from recontact_mcp.ways import gateway_for
    from recontact_tools.errors import InvalidInput

    if not usable:
        name = look.EMBEDDED if settings.embedded else "API"
        return [Finding(name, "skip", "not looked at: where data are kept comes first")]
    try:
        way = await (_embedded(settings) if settings.embedded else _network(settings, named))
        if any(finding.state == "fail" for finding in way):
            return [*way, *map(skipped, GROUP_STAGES)]
        async with gateway_for(settings) as gateway:
            return way + await until_one_fails(GroupLooks(settings, gateway, named).looks)
    except InvalidInput as error:
        return [Finding("Connection settings", "fail", error.message, error.next_step)]


async def _embedded(settings: "Settings") -> list[Finding]:
    return [await look.embedded(settings)]


async def _network(settings: "Settings", named: "Pasted | None") -> list[Finding]:
    from recontact_mcp.cli.doctor_network import NetworkLooks
    from recontact_mcp.connecting import connection_for
    from recontact_tools.gateway.probing import Probe

    account = named.account_id if named and named.account_id else settings.account_id
    async with Probe(connection_for(settings)) as probe:
        looks: tuple[tuple[str, Look], ...] = NetworkLooks(
            probe, version=settings.cint_api_version, account_id=account, project_id=settings.project_id
        ).looks
        return await until_one_fails(looks)
