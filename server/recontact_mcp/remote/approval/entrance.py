"""What people see before they see a plan: how they get in, and where they write its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.approval.views import TITLE, alert, visit_of
from recontact_mcp.remote.pages import html, page

if TYPE_CHECKING:
    from starlette.responses import HTMLResponse

    from recontact_mcp.remote.approval.sessions import Visit


def sign_in(way: str, *, looking: bool = False) -> HTMLResponse:
    """Send a stranger to where they sign in, to decide or only to look."""
    why = "An assistant asked for something that only a person may agree to. Sign in to see what it is."
    if looking:
        why = "Sign in to see what you asked assistants for, what waits and what runs."
    body = html('<p>{why}</p><p><a class="button" href="{way}">Sign in</a></p>', why=why, way=way)
    return page("Sign in", body, status=401)


def link_needed() -> HTMLResponse:
    """Say that a link of this machine lets people in."""
    body = html(
        "<p>This page opens by a link that works once. It was opened in your browser, or stands where the server"
        " was started. Ask the assistant to repeat its call if it has been used.</p>"
        "<p>On a terminal of this machine, <code>recontact-mcp approve</code> does the same, and"
        " <code>recontact-mcp jobs</code> shows what runs.</p>"
    )
    return page("A link is needed", body, status=401)


FOLLOW: Final = """
const follow = () => { if (!document.prerendering) document.getElementById('follow').submit(); };
if (document.prerendering) document.addEventListener('prerenderingchange', follow); else follow();
"""


def link(action: str, key: str, code: str) -> HTMLResponse:
    """Follow a link that works once; a browser does it by itself, and without scripts its user presses a button."""
    body = html(
        "<p>This link works once, and this is not yet its use.</p>"
        '<form method="post" action="{action}" id="follow"><input type="hidden" name="key" value="{key}">'
        '<input type="hidden" name="code" value="{code}"><button>Show what is asked</button></form>',
        action=action,
        key=key,
        code=code,
    )
    return page(TITLE, body, script=FOLLOW)


def nobody_can() -> HTMLResponse:
    """Say that nobody can be let in here."""
    body = html(
        "<p>Nobody can sign in here yet: whoever runs this server has to set <code>RECONTACT_APPROVAL_CLIENT_ID</code>"
        " and its secret. Until then nothing can be approved.</p>"
    )
    return page("Nobody can sign in", body, status=503)


def code_form(visit: Visit, action: str, *, trouble: str | None = None, status: int = 200) -> HTMLResponse:
    """Ask for the code that the assistant showed."""
    body = html(
        "{trouble}"
        '<form method="get" action="{action}"><label for="code">Code from the assistant</label>'
        '<input id="code" name="code" required autofocus autocomplete="off" autocapitalize="characters"'
        ' spellcheck="false" maxlength="20" aria-describedby="code-hint">'
        '<p class="hint" id="code-hint">Eight letters and digits, such as ABCD-2345.</p>'
        "<button>Show what is asked</button></form>{visit}",
        trouble=alert(trouble),
        action=action,
        visit=visit_of(visit),
    )
    return page(TITLE, body, status=status)
