"""What people see of their jobs: a list and a page for each, in plain words, from values alone, and never an ID."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recontact_mcp.history import counted, time_left
from recontact_mcp.remote.approval.place import PATH, STATUS_PATH
from recontact_mcp.remote.approval.views import visit_of
from recontact_mcp.remote.pages import Html, html, joined, page
from recontact_tools.guardrails import code_shown
from recontact_tools.ledger import Standing
from recontact_tools.plans import asked_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.responses import HTMLResponse

    from recontact_mcp.history import Line
    from recontact_mcp.remote.approval.sessions import Visit
    from recontact_tools.ledger import Approval, Proof

# ours: often enough to look alive; one look reads the ledger for a millisecond and asks the API nothing.
LOOK_MILLISECONDS: Final = 3_000
_NOTHING: Final = Html()


@dataclass(frozen=True, slots=True)
class Decidable:
    """A plan that waits: how it stands, and whether whoever looks may decide about it."""

    approval: Approval
    standing: Standing
    may_decide: bool


@dataclass(frozen=True, slots=True)
class News:
    """What of a page changes: *texts* by their places, a sentence that is *told* aloud, and which things are *shown*.

    *changing* is whether a later look can show something else.
    """

    texts: Mapping[str, str]
    told: str
    shown: str
    changing: bool


# Runs only what `page` names by its hash. It puts text into places that are there, and stops at the end.
LOOK: Final = """
"use strict";
(() => {
  const seen = document.getElementById("seen"), told = document.getElementById("told");
  const changed = document.getElementById("changed"), pause = Number(seen.dataset.pause);
  const say = (text) => { if (told.textContent !== text) told.textContent = text; };
  const again = () => setTimeout(look, pause);
  const look = async () => {
    if (document.hidden) { again(); return; }
    let answer, news;
    try {
      answer = await fetch(location.pathname, { headers: { accept: "application/json" }, cache: "no-store" });
      if (answer.status === 401) { say("You are signed out. Open this page again to see how it goes on."); return; }
      if (!answer.ok) throw new Error();
      news = await answer.json();
    } catch {
      say("The server does not answer just now. What stands here may be old; it is asked again.");
      again();
      return;
    }
    for (const place of document.querySelectorAll("[data-text]"))
      if (place.dataset.text in news.texts) place.textContent = news.texts[place.dataset.text];
    changed.hidden = news.shown === seen.dataset.shown;
    say(news.told);
    if (news.changing) again();
  };
  if (seen.dataset.changing === "yes") again();
})();
"""


def overview(visit: Visit, pending: Sequence[Decidable], lines: Sequence[Line], news: News) -> HTMLResponse:
    """Show what waits for a decision, what runs and what has ended lately."""
    running, ended = [line for line in lines if line.runs], [line for line in lines if not line.runs]
    parts = [
        _section("Waits", [_waiting(one, visit.viewer, news) for one in pending]),
        _section("Runs", [_started(line, news) for line in running]),
        _section("Ended", [_started(line, news) for line in ended]),
    ]
    return page("What waits and runs", joined([_seen(news), *parts, visit_of(visit)]), script=LOOK)


def news_of_all(pending: Sequence[Decidable], lines: Sequence[Line]) -> News:
    """Return what changes in the list."""
    texts = {f"{one.approval.plan.plan_id} status": _STANDS.get(one.standing, one.standing.value) for one in pending}
    for line in lines:
        texts |= {f"{line.work_id} status": line.status, f"{line.work_id} end": _end_of(line)}
    waiting = sum(one.standing is Standing.AWAITING for one in pending)
    running = sum(line.runs for line in lines)
    told = f"{_many(waiting, 'decision')} awaited, {_many(running, 'job')} running."
    shown = " ".join([*(one.approval.plan.plan_id for one in pending), *(_place_of(line) for line in lines)])
    return News(texts, told, shown, bool(pending) or running > 0)


def job(visit: Visit, line: Line, news: News) -> HTMLResponse:
    """Show one job."""
    group = line.group
    facts = [
        _changing("End", "end", news),
        *([_changing("Compared with what is stored", "proof", news)] if "proof" in news.texts else []),
        _fact("Target group", group.target_group_id),
        _fact("Project", group.project_id),
        _fact("Account", str(group.account_id)),
        _fact("Asked by", f"you ({line.principal})"),
        _fact("Asked at", _stamp(line.created_at)),
        _changing("Job", "job", news),
    ]
    body = joined([_seen(news), html("<dl>{facts}</dl>", facts=joined(facts)), visit_of(visit)])
    return page(_what(line), body, script=LOOK)


def news_of_one(line: Line) -> News:
    """Return what changes of one job."""
    texts = {"end": _end_of(line), "job": line.job_id}
    if line.kind in {"restore", "replacement"}:
        texts["proof"] = _compared(line.proof)
    return News(texts, _sentence(line), line.work_id, line.runs)


def _seen(news: News) -> Html:
    """Return what is told aloud, and what says how and whether to look again."""
    return html(
        '<div id="seen" data-pause="{pause}" data-shown="{shown}" data-changing="{changing}">'
        '<p id="told" role="status">{told}</p>'
        '<p id="changed" hidden>Something new is here. <a href="">Show it</a></p>'
        '<noscript><p><a href="">Look again</a></p></noscript></div>',
        pause=LOOK_MILLISECONDS,
        shown=news.shown,
        changing="yes" if news.changing else "no",
        told=news.told,
    )


def _section(title: str, items: list[Html]) -> Html:
    if not items:
        return _NOTHING
    return html('<h2>{title}</h2><ul class="cards">{items}</ul>', title=title, items=joined(items))


def _waiting(one: Decidable, viewer: str, news: News) -> Html:
    plan, code = one.approval.plan, code_shown(one.approval.code)
    facts = [
        _changing("Status", f"{plan.plan_id} status", news),
        _fact("Code", code),
        _fact("Target group", plan.group.target_group_id),
        _fact("Asked by", f"you ({viewer})" if plan.principal == viewer else plan.principal),
        _fact("Asked at", _stamp(plan.created_at)),
        _fact("Valid until", _stamp(plan.expires_at)),
    ]
    way = html("<p>An approver has to decide: give them the code.</p>")
    if one.may_decide:
        way = html('<p><a href="{path}?code={code}">Decide about {code}</a></p>', path=PATH, code=code)
    return html(
        '<li class="panel"><h3>{what}</h3><dl>{facts}</dl>{way}</li>',
        what=asked_for(plan),
        facts=joined(facts),
        way=way if one.standing is Standing.AWAITING else _NOTHING,
    )


def _started(line: Line, news: News) -> Html:
    facts = [
        _changing("Status", f"{line.work_id} status", news),
        _changing("End", f"{line.work_id} end", news),
        _fact("Target group", line.group.target_group_id),
        _fact("Asked at", _stamp(line.created_at)),
    ]
    return html(
        '<li class="panel"><h3><a href="{path}/{work}">{what}</a></h3><dl>{facts}</dl></li>',
        path=STATUS_PATH,
        work=line.work_id,
        what=_what(line),
        facts=joined(facts),
    )


def _fact(name: str, value: str) -> Html:
    return html("<dt>{name}</dt><dd>{value}</dd>", name=name, value=value)


def _changing(name: str, place: str, news: News) -> Html:
    return html('<dt>{name}</dt><dd data-text="{place}">{value}</dd>', name=name, place=place, value=news.texts[place])


def _what(line: Line) -> str:
    """Say what a line is, and of how many."""
    ids = "" if line.ids is None else f" {'by' if line.kind == 'replacement' else 'of'} {_many(line.ids, 'ID')}"
    return f"{line.kind.capitalize()}{ids}"


def _place_of(line: Line) -> str:
    """Return what says in which part of the list a line stands."""
    return f"{line.work_id}{'+' if line.runs else '-'}"


def _end_of(line: Line) -> str:
    if line.ended_at is not None:
        return _stamp(line.ended_at)
    measured = "" if line.measured is None else f" ({counted(line.measured)})"
    return f"{time_left(line)}, by estimate{measured}" if line.left.high else f"{time_left(line)}{measured}"


def _sentence(line: Line) -> str:
    """Say how a line stands, and what that means."""
    status = line.status.partition(",")[0]
    if status == "Refused" and line.said is not None:
        return f"Refused. {line.said}"
    meaning = _MEANINGS.get(status, "")
    return f"{line.status}. {meaning}".rstrip()


def _compared(proof: Proof | None) -> str:
    if proof is None:
        return "not yet"
    return "the same list" if proof.is_equal else f"{proof.missing:,} missing, {proof.extra:,} too many"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


_STANDS: Final[Mapping[Standing, str]] = {
    Standing.AWAITING: "waits for a decision",
    Standing.APPROVED: "approved; the assistant can go on",
}
_MEANINGS: Final[Mapping[str, str]] = {
    "Preparing": "Nothing was sent yet.",
    "Sending": "It is on its way to the API.",
    "Processing": "The API works on it.",
    "Failed": "The API could not do it. Ask your assistant why, and what is stored now.",
    "Unknown": "Nobody knows what became of it. Ask your assistant to look what is stored.",
    "Cancelled": "It was stopped before anything was sent.",
    "Removing": "The old list is saved and removed first.",
    "Uploading": "The new list is being uploaded.",
    "Verifying": "What is stored is compared with the new list.",
    "Restoring": "It could not be done; the old list is being put back.",
    "Restored": "It could not be done; the old list is stored again.",
    "Stuck": "It cannot go on by itself. Ask your assistant what is left to do.",
}
