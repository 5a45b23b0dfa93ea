"""Who sees which jobs in a browser, for how long, and in whose words."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from approval_site import GROUP, Site, signed_in, site

from recontact_mcp.settings import Settings
from recontact_tools.guardrails import code_shown
from recontact_tools.ledger import Replacement, Stage
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio
OTHER = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP2")


async def test_a_job_of_somebody_else_reads_like_one_that_never_was(served: Site, ann: str) -> None:
    await served.started(ann)
    async with served.http() as mallory, served.http() as user:
        await signed_in(mallory, "mallory")
        answers = [await mallory.get(f"/status/{work}") for work in ("WORK1", "WORK9", "JOB-WORK1", "%3Cscript%3E")]
        quiet = await mallory.get("/status/WORK1", headers={"accept": "application/json"})
        await signed_in(user, "ann")
        own = await user.get("/status/WORK1", headers={"accept": "application/json"})
    assert [answer.status_code for answer in (*answers, quiet)] == [404] * 5
    assert len({answer.text for answer in (*answers, quiet)}) == 1
    assert (own.status_code, own.json()["changing"], own.headers["cache-control"]) == (200, True, "no-store")


async def test_a_replacement_is_one_job_with_one_page(served: Site, ann: str) -> None:
    now, ledger = served.now(), (await served.parts.opening.decisions()).ledger
    replacement = Replacement(
        replacement_id="WORK1",
        removal_id="REMOVAL1",
        principal=ann,
        group=GROUP,
        id_type=IdType.RSID,
        ids=300,
        stored_before=500,
        stage=Stage.REMOVING,
        fingerprint="f",
        created_at=now,
        updated_at=now,
    )
    await ledger.replacements.open(replacement)
    async with served.http() as http:
        await signed_in(http)
        everything, one = (await http.get("/status")).text, (await http.get("/status/WORK1")).text
    assert 'href="/status/WORK1">Replacement by 300 IDs' in everything
    for told in ("<h1>Replacement by 300 IDs", "Removing. The old list is saved and removed first.", "not yet"):
        assert told in one


async def test_a_named_approver_sees_what_waits_for_them_and_who_asked_cannot_decide_alone(
    signing_in: Settings, ann: str
) -> None:
    boss = ann.replace("#ann", "#boss")
    rules = {"approval_approvers": frozenset({boss}), "approval_two_person": True}
    async with site(signing_in.model_copy(update=rules)) as served:
        asked = await served.asked(ann)
        await served.asked(boss, "PLAN2", group=OTHER)
        await served.started(ann)
        way = f'href="/approve?code={code_shown(asked.code)}"'
        async with served.http() as asker, served.http() as approver, served.http() as other:
            for one, name in ((asker, "ann"), (approver, "boss"), (other, "bob")):
                await signed_in(one, name)
            pages = [(await one.get("/status")).text for one in (asker, approver, other)]
            job = await approver.get("/status/WORK1")
    assert [way in text for text in pages] == [False, True, False]
    assert [asked.code[:4] in text for text in pages] == [True, True, False]
    assert ["An approver has to decide" in text for text in pages] == [True, True, False]  # boss asked for one, too
    assert ["WORK1" in text for text in pages] == [True, False, False]
    assert job.status_code == 404


async def test_whoever_only_looks_stays_for_an_hour_and_decides_nothing_meanwhile(served: Site, ann: str) -> None:
    await served.started(ann)
    async with served.http() as http:
        await signed_in(http)
        found: list[tuple[int, int]] = []
        for minutes in (9, 10, 59, 60):
            served.later[0] = timedelta(minutes=minutes)
            statuses = [(await http.get(path)).status_code for path in ("/approve", "/status/WORK1")]
            found.append((statuses[0], statuses[1]))
    assert found == [(200, 200), (401, 200), (401, 200), (401, 401)]


@pytest.mark.parametrize(
    ("to", "ends"),
    [
        ("/status", "/status"),
        ("/status/WORK1", "/status/WORK1"),
        ("//evil.example", "/approve"),
        ("https://evil.example/status", "/approve"),
        ("/status/..%2fapprove", "/approve"),
        ("/status/WORK1\n", "/approve"),
    ],
)
async def test_after_signing_in_nobody_is_sent_to_another_site(served: Site, to: str, ends: str) -> None:
    async with served.http() as http:
        begun = await http.get("/approve/sign-in", params={"to": to})
        async with http.__class__() as elsewhere:
            back = await elsewhere.get(f"{begun.headers['location']}&login_hint=ann")
        ended = await http.get(back.headers["location"])
    assert ended.headers["location"] == ends


async def test_what_went_wrong_is_told_in_our_own_words_only(served: Site, ann: str) -> None:
    ledger = (await served.parts.opening.decisions()).ledger
    await served.started(ann)
    await served.ended(status="Failed", reason="<b>their words</b>")
    await served.started(ann, "WORK2", group=OTHER)
    error: dict[str, Any] = {"code": "X", "message": "Nothing is <known>.", "next_step": "n"}
    await ledger.mark_unknown("WORK2", error, now=served.now())
    async with served.http() as http:
        await signed_in(http)
        failed, unknown = [(await http.get(f"/status/WORK{number}")).text for number in (1, 2)]
    assert ("their words" in failed, "Ask your assistant why" in failed) == (False, True)
    assert ("Nobody knows what became of it." in unknown, "<known>" in unknown) == (True, False)


async def test_the_pages_keep_to_the_access_file_as_it_is_now(signing_in: Settings, ann: str, tmp_path: Path) -> None:
    access, boss = tmp_path / "access.toml", ann.replace("#ann", "#boss")

    def write(text: str) -> None:
        new = tmp_path / "new"
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        new.rename(access)

    both = '[[principals]]\nsubject = "ann"\n[[principals]]\nsubject = "boss"\nread_only = true\n'
    write(both)
    told = {"access_file": access, "approval_approvers": frozenset({boss})}
    async with site(signing_in.model_copy(update=told)) as served, served.http() as user, served.http() as approver:
        await served.started(ann)
        asked = await served.asked(ann)
        await signed_in(user, "ann")
        await signed_in(approver, "boss")

        async def seen() -> list[tuple[int, bool]]:
            decision = {"code": asked.code}
            pages = [
                await user.get("/status/WORK1"),
                await user.get("/status"),
                await user.get("/approve", params=decision),
                await approver.get("/status"),
                await approver.get("/approve", params=decision),
            ]
            return [(page.status_code, "WORK1" in page.text or "500" in page.text) for page in pages]

        everything = [(200, True)] * 5
        nothing = [(404, False), (200, False), (404, False), (200, False), (404, False)]
        found = [await seen()]
        for text, expected in (
            ('[[principals]]\nsubject = "ann"\naccounts = [999]\n', nothing),
            ('[[principals]]\nclaim = "groups"\nvalue = "g"\naccounts = [999]\n[default]\naccounts = [7]\n', nothing),
            ("[default]\naccounts = [101]\n", everything),
        ):
            write(text)
            found.append(await seen())
            assert found[-1] == expected
    assert found[0] == everything
