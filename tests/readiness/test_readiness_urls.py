"""The survey's URLs: the variable exactly as Cint replaces it, and words for every way of missing it."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readiness_answers import finding, findings
from scripted_api import SURVEY, ScriptedApi

from recontact_tools.readiness.urls import RECONTACT_VARIABLE, SESSION_VARIABLE, flaws

Check = Callable[..., Awaitable[dict[str, Any]]]

HOSTS = st.from_regex(r"[a-z]{1,10}\.example", fullmatch=True)
PLAIN = st.text(alphabet="abcXYZ019-._~", max_size=20)


@given(host=HOSTS, path=PLAIN, name=PLAIN, other=PLAIN)
def test_an_https_url_with_both_variables_in_its_query_has_no_flaw(host: str, path: str, name: str, other: str) -> None:
    assert flaws(f"https://{host}/{path}?{name}={RECONTACT_VARIABLE}&r{other}={SESSION_VARIABLE}") == ()


@given(host=HOSTS, path=PLAIN)
def test_variables_in_the_path_are_as_good(host: str, path: str) -> None:
    assert flaws(f"https://{host}/{path}/{RECONTACT_VARIABLE}/{SESSION_VARIABLE}") == ()


@given(url=st.text(max_size=200) | st.text(alphabet="https:/?&=[%]{}RECONTACT_RSID recontact_rsid#", max_size=200))
def test_whatever_the_text_it_is_flawless_only_with_https_and_the_variable_and_no_flaw_repeats_it(url: str) -> None:
    found = flaws(url)
    blocking = [flaw for flaw in found if flaw.blocks]
    assert blocking == [*found][: len(blocking)], "the worst come first"
    if not blocking:
        assert url.casefold().startswith("https://")
        assert RECONTACT_VARIABLE in url


@given(inner=st.sampled_from(["RECONTACT_RSID", "recontact_rsid", "Recontact-Rsid", "RECONTACTRSID"]), data=st.data())
def test_every_bracket_but_the_right_one_is_a_near_miss(inner: str, data: st.DataObject) -> None:
    wrong = ["{%s}", "{{%s}}", "[%s]", "%%%s%%", "<%s>", "[ %%%s%% ]", "${%s}", "[%%%s]", "[%%%%%s%%%%]"]
    written = data.draw(st.sampled_from(wrong)) % inner
    words = [flaw.words for flaw in flaws(f"https://a.example/?x={written}&RID={SESSION_VARIABLE}") if flaw.blocks]
    assert any("something like it is there" in word for word in words)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "there is none"),
        (" \n", "there is none"),
        (SURVEY.replace("https", "http"), "does not begin with https://"),
        (SURVEY.replace("https://", "//"), "does not begin with https://"),
        (SURVEY.replace("https://", ""), "not an absolute URL"),
        ("https://[%RECONTACT_RSID%]/?[%RID%]", "not an absolute URL"),
        (f"{SURVEY}&x=a b", "blanks or line breaks"),
        (f"{SURVEY}\n", "begins or ends with blanks"),
        (SURVEY + "x" * (3001 - len(SURVEY)), "has 3001 characters"),
        (SURVEY.replace("[%RECONTACT_RSID%]", "[%recontact_rsid%]"), "lower case"),
        (SURVEY.replace("[%RECONTACT_RSID%]", quote("[%RECONTACT_RSID%]", safe="")), "percent-encoded"),
        (SURVEY.replace("[%RECONTACT_RSID%]", "%5B%25RECONTACT_RSID%25%5D"), "percent-encoded"),
        (SURVEY.replace("[%RECONTACT_RSID%]", "{RECONTACT_RSID}"), "something like it"),
        (SURVEY.replace("[%RECONTACT_RSID%]", "[%RID%]"), "a parameter may have that name"),
        (SURVEY.replace("RECONTACT_RSID=[%RECONTACT_RSID%]", "rsid=1"), "does not contain [%RECONTACT_RSID%] exactly"),
    ],
    ids=range(15),
)
def test_each_blocking_flaw_has_its_words(url: str | None, words: str) -> None:
    blocking = [flaw.words for flaw in flaws(url) if flaw.blocks]
    assert len(blocking) == 1
    assert words in blocking[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (SURVEY.replace("[%RID%]", "1"), "does not contain [%RID%]"),
        (SURVEY.replace("?", "#"), "not in its path or query"),
    ],
    ids=["no session", "fragment"],
)
def test_what_only_loses_something_is_a_risk(url: str, words: str) -> None:
    [flaw] = flaws(url)
    assert not flaw.blocks
    assert words in flaw.words


def test_a_url_as_long_as_allowed_passes_and_a_huge_one_is_refused_without_effort() -> None:
    assert flaws(SURVEY + "x" * (3000 - len(SURVEY))) == ()
    assert "characters" in flaws("https://a.example/" + "[ " * 2_000_000)[0].words


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["draft", "launched"])
@pytest.mark.parametrize("field", ["live_url", "test_url"])
async def test_both_urls_are_judged_in_both_states(api: ScriptedApi, check: Check, where: str, field: str) -> None:
    wrong = SURVEY.replace("[%RECONTACT_RSID%]", "[%recontact_rsid%]")
    if where == "draft":
        api.be_draft(**{field: wrong})
    else:
        api.be_launched(**{field: wrong})
    answer = await check()
    found = finding(answer, field)
    assert found["severity"] == "blocks"
    assert found["where"].startswith(f"{field} of GET")
    assert found["where"].endswith("/details") == (where == "launched")
    assert field in found["mend"]
    assert ("/details" in found["mend"]) == (where == "launched")
    other = "test_url" if field == "live_url" else "live_url"
    assert findings(answer, other) == []
    assert answer["ready"] is False


@pytest.mark.anyio
async def test_a_url_with_several_flaws_is_told_each(api: ScriptedApi, check: Check) -> None:
    api.be_draft(live_url="http://a.example/")
    assert [found["severity"] for found in findings(await check(), "live_url")] == ["blocks", "blocks", "risk"]
