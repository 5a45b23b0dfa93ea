"""`recontact-mcp approve`: a person at a terminal decides about a removal that their assistant asked for."""

# Imports stand inside the functions that need them: `--help` does not pay for the ledger.
# ruff: noqa: PLC0415

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from recontact_mcp.cli.console import person, settings_or_stop, stop, titled, typed
from recontact_mcp.cli.records import place_of, with_ledger

if TYPE_CHECKING:
    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Approval, Ledger

DENY = "deny"
ELSEWHERE = (
    "If the server keeps its data elsewhere, give this terminal the RECONTACT_DATA_DIR, or RECONTACT_DATABASE_URL, that"
    " the server has. What was asked for by somebody who signs in over HTTP is decided about on the server's own page."
)


def approve(
    code: Annotated[str | None, typer.Argument(help="The code that the assistant showed.", show_default=False)] = None,
    enrol: Annotated[
        str | None,
        typer.Option(
            metavar="PRINCIPAL",
            help="Show a code with which this person, `issuer#subject`, may register one passkey within an hour.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Approve or deny a removal or a replacement that an assistant asked for; without a code, list what waits.

    Only a person at a terminal can: they read what would happen and type the phrase. It decides about what was asked
    for on this machine; whoever asked over HTTP signed in, and decides on the approval page.
    """
    from recontact_mcp.decided import decisions_of
    from recontact_tools.deciding import announcing
    from recontact_tools.runtime import Clock

    settings = settings_or_stop()
    looked_in = place_of(settings)
    if code is not None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        stop("There is no terminal to ask at; nothing was decided.", cure="A person has to run this command.", code=2)

    async def run(ledger: "Ledger") -> bool:
        decisions = decisions_of(settings, ledger, Clock(), None, announcing(ledger))
        if enrol is not None:
            await _enrol(decisions, enrol, settings.public_url)
        else:
            await (_list(decisions, looked_in) if code is None else _decide(decisions, code, looked_in))
        return True

    if not with_ledger(settings, run, otherwise=False):
        stop(f"Nothing was asked for yet in {looked_in}.", cure=ELSEWHERE)


async def _list(decisions: "Decisions", looked_in: str) -> None:
    from recontact_mcp.access import LOCAL_PRINCIPAL
    from recontact_tools.guardrails import code_shown
    from recontact_tools.plans import asked_for

    waiting = await decisions.ledger.approvals.awaited(LOCAL_PRINCIPAL, now=decisions.clock.now())
    elsewhere = await _elsewhere(decisions)
    if not waiting:
        nothing = "Nothing of this machine waits" if elsewhere else "Nothing waits"
        person().print(f"{nothing} for a decision in {looked_in}.{elsewhere}", markup=False, soft_wrap=True)
        return
    table = titled("Waiting for a decision", "Code", "Valid until (UTC)", "Target group", "What")
    for one in waiting:
        plan = one.plan
        table.add_row(code_shown(one.code), f"{plan.expires_at:%H:%M}", plan.group.target_group_id, asked_for(plan))
    person().print(table)
    person().print(f"Decide with `recontact-mcp approve CODE`.{elsewhere}", markup=False, soft_wrap=True)


async def _elsewhere(decisions: "Decisions") -> str:
    """Say how many plans wait that are not for this terminal, and nothing else of them."""
    from recontact_mcp.access import LOCAL_PRINCIPAL
    from recontact_tools.deciding import PENDING_MOST
    from recontact_tools.ledger import Standing

    now = decisions.clock.now()
    pending = await decisions.ledger.approvals.pending(None, now=now, limit=PENDING_MOST)
    count = sum(one.plan.principal != LOCAL_PRINCIPAL and one.standing(now) is Standing.AWAITING for one in pending)
    if not count:
        return ""
    least = "At least " if len(pending) == PENDING_MOST else ""
    return (
        f" {least}{count} {'waits' if count == 1 else 'wait'} on the approval page, for people who sign in over HTTP."
    )


async def _enrol(decisions: "Decisions", principal: str, public_url: str | None) -> None:
    from recontact_mcp.remote.approval.place import ENROLMENT_LASTS, PASSKEY_PATH, enrolment

    approvals, now = decisions.ledger.approvals, decisions.clock.now()
    typer.echo(await enrolment(approvals, principal, now=now, lasts=ENROLMENT_LASTS))
    page = f"{public_url}{PASSKEY_PATH}" if public_url else f"{PASSKEY_PATH} at the server's address"
    told = f"Works once, within an hour. Whoever signs in as {principal} enters it at {page}, and registers a passkey."
    typer.echo(told, err=True)


async def _decide(decisions: "Decisions", code: str, looked_in: str) -> None:
    from recontact_mcp.access import LOCAL_PRINCIPAL
    from recontact_tools.errors import NotFound
    from recontact_tools.guardrails import phrase_of
    from recontact_tools.ledger import Standing

    try:
        approval = await decisions.find(code, who=LOCAL_PRINCIPAL)
    except NotFound as error:
        said = f"{error.code.value}: {error.message} Looked in {looked_in}."
        stop(said, cure=f"{error.next_step} {ELSEWHERE}")
    plan_id, standing = approval.plan.plan_id, approval.standing(decisions.clock.now())
    if standing is not Standing.AWAITING:
        stop(f"There is nothing to decide: {standing.value}.")
    _show(decisions, approval)
    console = person()
    console.print(f"To approve, type: {phrase_of(approval.plan)}", markup=False, soft_wrap=True)
    answer = await typed(console, f"Phrase, `{DENY}`, or nothing to leave it: ")
    if not answer:
        stop("Nothing was decided.")
    if answer == DENY:
        await decisions.deny(plan_id, who=LOCAL_PRINCIPAL)
        console.print("Denied; nothing was removed.")
        return
    await decisions.approve(plan_id, who=LOCAL_PRINCIPAL, typed=answer, method="terminal")
    console.print("Approved. The assistant can go on.", style="green")


def _show(decisions: "Decisions", approval: "Approval") -> None:
    from recontact_tools.plans import asked_for, meaning

    plan, console = approval.plan, person()
    group = plan.group
    console.print(f"{asked_for(plan)}?", style="bold", markup=False)
    where = f"Target group {group.target_group_id}, project {group.project_id}, account {group.account_id}."
    console.print(where, markup=False, soft_wrap=True)
    console.print(meaning(plan, kept=decisions.kept), markup=False)
    console.print(f"Valid until {plan.expires_at:%H:%M} UTC.", markup=False)
