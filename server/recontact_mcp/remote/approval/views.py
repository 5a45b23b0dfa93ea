"""What people see when they decide: every page as HTML, in plain words, from values alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.approval.place import PASSKEY_PATH, SIGN_OUT_PATH, STATUS_PATH
from recontact_mcp.remote.pages import Html, html, joined, page
from recontact_tools.guardrails import phrase_of
from recontact_tools.ledger import Standing
from recontact_tools.plans import asked_for, meaning

if TYPE_CHECKING:
    from datetime import timedelta

    from starlette.responses import HTMLResponse

    from recontact_mcp.remote.approval.passkeys import Challenge
    from recontact_mcp.remote.approval.sessions import Visit
    from recontact_tools.ledger import Approval
    from recontact_tools.schedule import Eta

_MINUTE: Final = 60
TITLE: Final = "Decide about a removal"
_NOTHING: Final = Html()


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as it is shown: how it stands, how long putting everything back would take, and whose eyes see it."""

    approval: Approval
    standing: Standing
    visit: Visit
    restoring: Eta
    kept: timedelta
    token: str
    signing: Signing


@dataclass(frozen=True, slots=True)
class Signing:
    """What a passkey has to do with it: nothing, or it has to sign *challenge*; *missing*: there should be one."""

    challenge: Challenge | None = None
    missing: bool = False


def decision(shown: Shown, action: str, *, trouble: str | None = None, status: int = 200) -> HTMLResponse:
    """Show everything about a plan, and the way to approve or deny it."""
    plan, signing = shown.approval.plan, shown.signing
    missing = html('<p role="alert">{told}</p>', told=_NO_PASSKEY) if signing.missing else _NOTHING
    asked = [alert(trouble), facts(shown), missing, _form(shown, action), _register(signing)]
    body = joined([*asked, visit_of(shown.visit)])
    script = None if signing.challenge is None else SIGN
    return page(_QUESTION[plan.new_ids is None], body, status=status, script=script)


_NO_PASSKEY: Final = "You can approve nothing here before you have registered a passkey. You can deny."
# Runs only what `page` names by its hash. A denial needs no passkey.
SIGN: Final = """
const form = document.getElementById('decide');
form.addEventListener('submit', async event => {
  if (event.submitter && event.submitter.value !== 'approve') return;
  event.preventDefault();
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(form.dataset.options));
    const answer = await navigator.credentials.get({ publicKey });
    form.elements.passkey.value = JSON.stringify(answer.toJSON());
    form.elements.chosen.value = 'approve';
    form.submit();
  } catch {
    document.getElementById('passkey-trouble').hidden = false;
  }
});
"""
TROUBLE: Final = Html('<p role="alert" id="passkey-trouble" hidden>The passkey gave no answer. Try again.</p>')


def _register(signing: Signing) -> Html:
    if not signing.missing:
        return _NOTHING
    return html('<p><a href="{path}">Register a passkey</a></p>', path=PASSKEY_PATH)


_QUESTION: Final = {True: "Remove all respondent IDs?", False: "Replace all respondent IDs?"}


def facts(shown: Shown) -> Html:
    """Say who asks for what, and what it would mean."""
    plan = shown.approval.plan
    group = plan.group
    asker = f"you ({plan.principal})" if plan.principal == shown.visit.viewer else plan.principal
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


def _form(shown: Shown, action: str) -> Html:
    challenge = shown.signing.challenge
    approving = _NOTHING
    if not shown.signing.missing:
        approving = html(
            '<label for="phrase">To approve, type this phrase</label><p id="phrase-text"><code>{phrase}</code></p>'
            '<input id="phrase" name="phrase" autocomplete="off" spellcheck="false" maxlength="200"'
            ' aria-describedby="phrase-text">'
            '<button class="danger" name="decision" value="approve">Approve</button>',
            phrase=phrase_of(shown.approval.plan),
        )
    return html(
        '<form method="post" action="{action}" class="panel" id="decide" data-options="{options}">'
        '<input type="hidden" name="token" value="{token}">{signed}{approving}'
        '<button class="quiet" name="decision" value="deny">Deny</button></form>',
        action=action,
        options="" if challenge is None else challenge.options,
        token=shown.token,
        signed=_NOTHING if challenge is None else _signed(challenge),
        approving=approving,
    )


def _signed(challenge: Challenge) -> Html:
    fields = html(
        '<input type="hidden" name="nonce" value="{nonce}"><input type="hidden" name="passkey">'
        '<input type="hidden" name="chosen">',
        nonce=challenge.nonce,
    )
    return joined([fields, TROUBLE])


def settled(shown: Shown) -> HTMLResponse:
    """Say that there is nothing to decide, and why."""
    title, told = _SETTLED[shown.standing]
    said = html('<p role="status">{told}</p>', told=told)
    return page(title, joined([said, _going_on(shown), facts(shown), visit_of(shown.visit)]))


def _going_on(shown: Shown) -> Html:
    """Show whoever asked the way to what came of it."""
    approval = shown.approval
    if approval.work_id is None or approval.plan.principal != shown.visit.viewer:
        return _NOTHING
    return html('<p><a href="{path}/{work}">See how it goes</a></p>', path=STATUS_PATH, work=approval.work_id)


def visit_of(visit: Visit) -> Html:
    """Say who is signed in, and offer what else there is, and the way out."""
    return html(
        '<div class="visit"><p>Signed in as <code>{viewer}</code>. <a href="{status}">What waits and runs</a></p>'
        '<form method="post" action="{leave}"><input type="hidden" name="leaving" value="{token}">'
        '<button class="quiet">Sign out</button></form></div>',
        viewer=visit.viewer,
        status=STATUS_PATH,
        leave=SIGN_OUT_PATH,
        token=visit.leaving,
    )


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
    if low < 1:
        return f"up to {high} min"
    return f"about {high} min" if low == high else f"{low} to {high} min"
