"""`recontact-mcp explain TOOL`: whether somebody may call a tool, and if not, by which rule and who may lift it."""

# Imports stand inside the functions that need them: `--help` does not pay for the SDK.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from recontact_mcp.cli.console import person, settings_or_stop, stop, write_json

if TYPE_CHECKING:
    from recontact_mcp.access import Claims
    from recontact_mcp.callers import Caller, Callers
    from recontact_mcp.settings import Settings
    from recontact_mcp.verdicts import Place, Verdict
    from recontact_tools.errors import Detail


def explain(
    tool: Annotated[str, typer.Argument(help="Name of the tool.", show_default=False)],
    *,
    subject: Annotated[
        str | None,
        typer.Option(help="Who calls: the `sub` of the token. Default: the local user.", show_default=False),
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(help="A claim of the token, NAME=VALUE; may be repeated.", show_default=False),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(help="Scopes of the token, with blanks between. Default: all.", show_default=False),
    ] = None,
    target_group: Annotated[
        str | None, typer.Option(help="Id or Cint URL of the target group.", show_default=False)
    ] = None,
    project: Annotated[str | None, typer.Option(help="Its project.", show_default=False)] = None,
    account: Annotated[int | None, typer.Option(help="Its account.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write only JSON.")] = False,
) -> None:
    """Explain whether somebody may call a tool: by the settings, the access file and the freeze file as they are now.

    Nobody is asked, and nothing is sent. What was opened today is not counted: caps are only shown.
    The exit code is 0 if it is allowed, and 1 if not.
    """
    from recontact_mcp.scopes import granted
    from recontact_mcp.verdicts import verdict
    from recontact_tools.catalog import EVERYTHING

    if tool not in {operation.name for operation in EVERYTHING}:
        stop("There is no such tool.", cure=f"Tools: {', '.join(operation.name for operation in EVERYTHING)}.", code=2)
    settings = settings_or_stop()
    callers, place = _callers(settings), _place(target_group, project, account)
    scopes = None if scope is None else granted(scope.split())
    found = verdict(lambda: _who(callers, subject, _claims(claim or [])), tool, place, scopes=scopes)
    agreeing = _agreeing(settings, tool) if found.refusal is None else None
    if as_json:
        write_json(_told(found) if agreeing is None else {**_told(found), "approval": agreeing})
    else:
        _show(found, agreeing)
    if found.refusal is not None:
        raise typer.Exit(1)


def _agreeing(settings: Settings, tool: str) -> dict[str, Detail] | None:
    """Say how sure it must be that a person agrees, and who may; None for what nobody is asked about."""
    from recontact_mcp.decided import approval_rules_of
    from recontact_tools.approving import TOOL

    if tool not in TOOL.values():
        return None
    # Over HTTP, which is where an issuer says who asks, more is needed than a client's word.
    rules = approval_rules_of(settings, settings.auth_issuer)
    who = ["RECONTACT_APPROVAL_APPROVERS"] if rules.approvers else []
    if not rules.two_person:
        who.insert(0, "whoever asks")
    return {"minimum": rules.minimum.value, "by": [*who], "passkey": rules.passkey}


def _callers(settings: Settings) -> Callers:
    from recontact_mcp.access_source import callers_for
    from recontact_mcp.decided import policy_of
    from recontact_mcp.settings import SettingsError

    try:
        return callers_for(settings, policy_of(settings), asked_over_http=True)
    except SettingsError as error:
        stop("The access file cannot be used.", cure="\n".join(error.problems), code=2)


def _who(callers: Callers, subject: str | None, claims: Claims) -> Caller:
    from recontact_mcp.access import LOCAL_PRINCIPAL
    from recontact_mcp.callers import principal_of

    if subject is None:
        return callers.absent(LOCAL_PRINCIPAL, claims)
    if callers.issuer is None:
        stop("Nobody is known by a subject here.", cure="Set RECONTACT_AUTH_ISSUER, or leave --subject out.", code=2)
    return callers.absent(principal_of(callers.issuer, subject), claims)


def _claims(said: list[str]) -> Claims:
    if not all("=" in one for one in said):
        stop("A claim is written as NAME=VALUE.", code=2)
    return frozenset((name, value) for name, _, value in (one.partition("=") for one in said))


def _place(target_group: str | None, project: str | None, account: int | None) -> Place:
    from recontact_mcp.verdicts import Place
    from recontact_tools.errors import InvalidInput
    from recontact_tools.guardrails import read_pasted, with_arguments

    if target_group is None:
        return Place(None, project.upper() if project else None, account)
    try:
        pasted = with_arguments(read_pasted(target_group), project, account)
    except InvalidInput as error:
        stop(error.message, cure=error.next_step, code=2)
    return Place(pasted.target_group_id, pasted.project_id, pasted.account_id)


def _told(found: Verdict) -> dict[str, Detail]:
    caps = found.caps
    shown: dict[str, Detail] = {
        "allowed": found.refusal is None,
        "entry": found.entry,
        "caps_per_day": {"uploads": caps.uploads, "ids": caps.ids, "removals": caps.removals} if caps else None,
    }
    return shown if found.refusal is None else {**shown, "error": found.refusal.as_dict()}


def _show(found: Verdict, agreeing: dict[str, Detail] | None) -> None:
    console = person()
    if found.refusal is None:
        console.print("Allowed.", style="bold green")
    else:
        details = found.refusal.details
        console.print(f"Not allowed: {found.refusal.message}", style="bold red", markup=False)
        console.print(f"Rule: {details.get('rule')}", markup=False)
        console.print(f"Who may lift it: {details.get('lifted_by')}", markup=False)
    console.print(f"What counts: {found.entry or 'the settings'}", markup=False)
    caps = (
        {}
        if found.caps is None
        else {"uploads": found.caps.uploads, "IDs": found.caps.ids, "removals": found.caps.removals}
    )
    limits = [f"{most} {what}" for what, most in caps.items() if most is not None]
    if agreeing is not None:
        by = " or ".join(str(one) for one in cast("list[Detail]", agreeing["by"]))
        key = ", with a passkey" if agreeing["passkey"] else ""
        console.print(f"Then a person has to agree ({agreeing['minimum']}): {by}{key}", markup=False)
    if limits:
        console.print(f"At most, in a day (UTC): {', '.join(limits)}", markup=False)
