"""What people see when they decide: every page as HTML, in plain words, from values alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.pages import Html, html, joined, page
from recontact_tools.guardrails import phrase_of
from recontact_tools.ledger import Standing
from recontact_tools.plans import asked_for, meaning

if TYPE_CHECKING:
    from datetime import timedelta

    from starlette.responses import HTMLResponse

    from recontact_tools.ledger import Approval
    from recontact_tools.schedule import Eta

_MINUTE: Final = 60
_TITLE: Final = "Decide about a removal"
_NOTHING: Final = Html()


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as it is shown: how it stands, how long putting everything back would take, and whose eyes see it."""

    approval: Approval
    standing: Standing
    viewer: str
    restoring: Eta
    kept: timedelta
    token: str


def sign_in(way: str) -> HTMLResponse:
    """Send a stranger to where they sign in."""
    body = html(
        "<p>An assistant asked for something that only a person may agree to. Sign in to see what it is.</p>"
        '<p><a class="button" href="{way}">Sign in</a></p>',
        way=way,
    )
    return page("Sign in", body, status=401)


def link_needed() -> HTMLResponse:
    """Say that a link of this machine lets people in."""
    body = html(
        "<p>This page opens by a link that works once. It was opened in your browser, or stands where the server"
        " was started. Ask the assistant to repeat its call if it has been used.</p>"
        "<p>On a terminal of this machine, <code>recontact-mcp approve</code> does the same.</p>"
    )
    return page("A link is needed", body, status=401)


def nobody_can() -> HTMLResponse:
    """Say that nobody can be let in here."""
    body = html(
        "<p>Nobody can sign in here yet: whoever runs this server has to set <code>RECONTACT_APPROVAL_CLIENT_ID</code>"
        " and its secret. Until then nothing can be approved.</p>"
    )
    return page("Nobody can sign in", body, status=503)


def code_form(viewer: str, action: str, *, trouble: str | None = None, status: int = 200) -> HTMLResponse:
    """Ask for the code that the assistant showed."""
    body = html(
        "{trouble}<p>Signed in as <code>{viewer}</code>.</p>"
        '<form method="get" action="{action}"><label for="code">Code from the assistant</label>'
        '<input id="code" name="code" required autofocus autocomplete="off" autocapitalize="characters"'
        ' spellcheck="false" maxlength="20" aria-describedby="code-hint">'
        '<p class="hint" id="code-hint">Eight letters and digits, such as ABCD-2345.</p>'
        "<button>Show what is asked</button></form>",
        trouble=alert(trouble),
        viewer=viewer,
        action=action,
    )
    return page(_TITLE, body, status=status)


def decision(shown: Shown, action: str, *, trouble: str | None = None, status: int = 200) -> HTMLResponse:
    """Show everything about a plan, and the way to approve or deny it."""
    plan = shown.approval.plan
    body = joined([alert(trouble), facts(shown), _form(shown, action)])
    return page(_QUESTION[plan.new_ids is None], body, status=status)


_QUESTION: Final = {True: "Remove all respondent IDs?", False: "Replace all respondent IDs?"}


def facts(shown: Shown) -> Html:
    """Say who asks for what, and what it would mean."""
    plan = shown.approval.plan
    group = plan.group
    asker = f"you ({plan.principal})" if plan.principal == shown.viewer else plan.principal
    rows = {
        "Asked by": f"{asker}, through an assistant",
        "What": f"{asked_for(plan)}.",
        "Target group": group.target_group_id,
        "Project": group.project_id,
        "Account": str(group.account_id),
        "Putting them back": f"{duration(shown.restoring)}, while nobody can enter",
        "Asked at": f"{plan.created_at:%Y-%m-%d %H:%M} UTC",
        "Valid until": f"{plan.expires_at:%Y-%m-%d %H:%M} UTC",
        "Plan": plan.plan_id,
    }
    told = joined([html("<dt>{name}</dt><dd>{value}</dd>", name=name, value=value) for name, value in rows.items()])
    return html("<dl>{told}</dl><p>{meaning}</p>", told=told, meaning=meaning(plan, kept=shown.kept))


def _form(shown: Shown, action: str, extra: Html = _NOTHING) -> Html:
    return html(
        '<form method="post" action="{action}" class="panel" id="decide">'
        '<input type="hidden" name="token" value="{token}">{extra}'
        '<label for="phrase">To approve, type this phrase</label>'
        '<p id="phrase-text"><code>{phrase}</code></p>'
        '<input id="phrase" name="phrase" autocomplete="off" spellcheck="false" maxlength="200"'
        ' aria-describedby="phrase-text">'
        '<button class="danger" name="decision" value="approve">Approve</button>'
        '<button class="quiet" name="decision" value="deny">Deny</button></form>',
        action=action,
        token=shown.token,
        phrase=phrase_of(shown.approval.plan),
        extra=extra,
    )


def settled(shown: Shown) -> HTMLResponse:
    """Say that there is nothing to decide, and why."""
    title, told = _SETTLED[shown.standing]
    return page(title, joined([html('<p role="status">{told}</p>', told=told), facts(shown)]))


_SETTLED: Final = {
    Standing.APPROVED: ("Approved", "It was approved. The assistant can go on; you can close this page."),
    Standing.DENIED: ("Denied", "It was denied, and nothing was removed. You can close this page."),
    Standing.EXPIRED: ("Expired", "Nobody decided in time, and nothing was removed. The assistant has to ask again."),
    Standing.CLOSED: ("No longer asked", "A newer question took its place, or what is stored has changed."),
    Standing.USED: ("Done", "It was approved and the assistant has begun with it."),
}


def trouble_page(title: str, told: str, *, status: int) -> HTMLResponse:
    """Say what went wrong, and what to do about it."""
    return page(title, alert(told), status=status)


def alert(told: str | None) -> Html:
    """Return a notice that a screen reader says at once; nothing where there is none."""
    return _NOTHING if told is None else html('<p role="alert">{told}</p>', told=told)


def duration(eta: Eta) -> str:
    """Say a range of seconds as people do."""
    low, high = (round(seconds / _MINUTE) for seconds in (eta.low, eta.high))
    if high < 1:
        return "less than a minute"
    return f"up to {high} min" if low < 1 else f"{low} to {high} min"
