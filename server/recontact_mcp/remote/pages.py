"""The pages that people see in a browser: one shell, one style sheet, and one place where text becomes HTML."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from typing import Final, LiteralString

from starlette.responses import HTMLResponse

# Colours hold a contrast of at least 4.5 to 1 for text and 3 to 1 for borders, in both schemes.
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --quiet: #51585f; --edge: #757d85;
  --accent: #0b5cad; --on-accent: #ffffff; --danger: #a4161a; --on-danger: #ffffff; --panel: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #16191d; --quiet: #b3bac1; --edge: #7d858d;
  --accent: #8ab8f0; --on-accent: #10151b; --danger: #ff9a94; --on-danger: #2a0a0a; --panel: #20252b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 42rem; margin: 0 auto; padding: 1rem 1.25rem; }
header p, footer p { color: var(--quiet); font-size: .875rem; margin: 0; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.125rem; margin: 1.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: .75rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .375rem 1rem; margin: 1rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.panel dl { margin: .5rem 0; }
.cards { list-style: none; margin: 0; padding: 0; }
.cards li { margin: 0 0 1rem; padding-bottom: .25rem; }
@media (max-width: 30rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin: 0 0 .5rem; }
}
.visit { border-top: 1px solid var(--edge); margin: 2rem 0 0; padding: 1rem 0 0; display: flex; flex-wrap: wrap;
  gap: .5rem 1rem; justify-content: space-between; align-items: center; }
.visit p { margin: 0; color: var(--quiet); font-size: .875rem; }
.visit button { margin: 0; }
code, kbd, output { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
label { display: block; font-weight: 600; margin: 1rem 0 .25rem; }
input, button, .button { font: inherit; border-radius: .375rem; padding: .5rem .75rem; }
input { width: 100%; border: 1px solid var(--edge); background: var(--paper); color: var(--ink); }
button, .button { display: inline-block; border: 1px solid var(--accent); background: var(--accent);
  color: var(--on-accent); cursor: pointer; text-decoration: none; margin: 1rem .5rem 0 0; }
button.danger { border-color: var(--danger); background: var(--danger); color: var(--on-danger); }
button.quiet { background: transparent; color: var(--ink); border-color: var(--edge); }
button:disabled { border-color: var(--edge); background: var(--panel); color: var(--quiet); cursor: not-allowed; }
input:disabled { color: var(--quiet); cursor: not-allowed; }
a { color: var(--accent); }
a.button { color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.panel { background: var(--panel); border: 1px solid var(--edge); border-radius: .5rem; padding: .25rem 1rem 1rem; }
.hint { color: var(--quiet); margin: .25rem 0 0; }
[role=alert] { border-left: .25rem solid var(--danger); padding: .25rem .75rem; background: var(--panel); }
"""

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Not "no-referrer": a browser would send forms with the origin "null", which could not be told from a stranger's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}


class Html(str):
    """Text that is HTML already: made by `html` and by nothing else."""

    __slots__ = ()


def html(template: LiteralString, **values: object) -> Html:
    """Fill a template that stands in the source; every value is escaped, unless it is HTML already."""
    return Html(template.format_map({name: _escaped(value) for name, value in values.items()}))


def joined(parts: "list[Html] | tuple[Html, ...]") -> Html:
    """Return several pieces of HTML as one."""
    return Html("".join(parts))


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value), quote=True)


def page(title: str, body: Html, *, status: int = 200, script: LiteralString | None = None) -> HTMLResponse:
    """Return a whole page: *title* is its name and heading, *body* what stands below the heading.

    Nothing is ever loaded from elsewhere, framed or kept. *script* is run at the end of the page; it may talk to this
    server only, and has no way to turn text into HTML.
    """
    return HTMLResponse(
        _SHELL.format(
            title=_escaped(title),
            style=_STYLE,
            body=_escaped(body),
            script="" if script is None else f"<script>{script}</script>",
        ),
        status_code=status,
        headers={**_HEADERS, "Content-Security-Policy": policy(script)},
    )


@cache
def policy(script: str | None) -> str:
    """Return what a browser may do with a page: the style and the script are known by their hashes."""
    running = [] if script is None else [f"script-src '{_hash(script)}'", "connect-src 'self'"]
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(_STYLE)}'",
            *running,
            "img-src data:",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def _hash(source: str) -> str:
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"


# The empty icon keeps browsers from asking for /favicon.ico.
_SHELL: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{title} - Recontacts</title>
<style>{style}</style>
</head>
<body>
<header><p>Recontacts</p></header>
<main><h1>{title}</h1>
{body}
</main>
<footer><p>This page is served by your own recontact-mcp server and loads nothing from elsewhere.</p></footer>
{script}
</body>
</html>
"""
