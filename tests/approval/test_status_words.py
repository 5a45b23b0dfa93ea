"""How a job and a list of jobs are put into words on the pages of status."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from approval_site import GROUP

from recontact_mcp.history import Line, Measured
from recontact_mcp.remote.approval.status_views import news_of_all, news_of_one
from recontact_tools.ledger import Proof
from recontact_tools.schedule import Eta

LINE = Line(
    created_at=datetime(2026, 11, 26, 3, tzinfo=UTC),
    group=GROUP,
    kind="upload",
    ids=10_000,
    status="Processing",
    job_id="JOB",
    runs=True,
    ended_at=None,
    left=Eta(400, 700),
    elapsed=200.0,
    principal="ann",
    work_id="WORK",
)


@pytest.mark.parametrize(
    ("changes", "told", "texts"),
    [
        (
            {"kind": "removal", "status": "Preparing", "measured": Measured("snapshot", 3_000, 9_000)},
            "Preparing. Nothing was sent yet.",
            {"end": "in 6 to 12 min, by estimate (snapshot: 3,000 of 9,000)"},
        ),
        (
            {"kind": "replacement", "status": "Removing", "left": Eta(0, 0)},
            "Removing. The old list is saved and removed first.",
            {"end": "longer than estimated", "proof": "not yet"},
        ),
        (
            {"kind": "restore", "status": "Completed, proved", "proof": Proof(7, 7, 0, 0, "h")},
            "Completed, proved.",
            {"proof": "the same list"},
        ),
        (
            {"kind": "restore", "status": "Completed, differs", "proof": Proof(8, 7, 1_000, 2, "h")},
            "Completed, differs.",
            {"proof": "1,000 missing, 2 too many"},
        ),
        (
            {"ids": None, "status": "Refused", "said": "It is too large.", "runs": False, "ended_at": LINE.created_at},
            "Refused. It is too large.",
            {"end": "2026-11-26 03:00 UTC"},
        ),
        ({"status": "Refused"}, "Refused.", {"job": "JOB"}),
    ],
)
def test_how_a_job_stands_is_said_in_plain_words(changes: dict[str, Any], told: str, texts: dict[str, str]) -> None:
    news = news_of_one(replace(LINE, **changes))
    assert news.told == told
    assert {name: news.texts[name] for name in texts} == texts


def test_a_list_in_which_nothing_waits_or_runs_is_not_looked_at_again() -> None:
    ended = replace(LINE, runs=False, ended_at=LINE.created_at)
    assert [news_of_all((), lines).changing for lines in ((), (ended,), (LINE, ended))] == [False, False, True]
    assert news_of_all((), ()).told == "0 decisions awaited, 0 jobs running."
