"""A pasted text is understood when it names one target group, and never repeated when it is not."""

import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.guardrails import PASTED_MAX, Pasted, read_pasted, with_arguments

GROUP, PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP1", "01BTGNYV6HRNK8K8VKZASZCFP0"
OTHER = "01BTGNYV6HRNK8K8VKZASZCFP9"
CANARY = "5a3b2ada-dead-4bad-8bad-c0ffeec0ffee"
PLACE = f"accounts/101/projects/{PROJECT}/target-groups/{GROUP}"
WHOLE = Pasted(GROUP, PROJECT, 101)

ULIDS = st.text(alphabet=string.ascii_letters + string.digits, min_size=26, max_size=26)
ACCOUNTS = st.integers(min_value=1, max_value=2**31 - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(GROUP, Pasted(GROUP), id="bare id"),
        pytest.param(f"\n {GROUP.lower()}\t", Pasted(GROUP), id="bare id with blanks in lower case"),
        pytest.param(f"https://api.cint.com/v1/demand/{PLACE}", WHOLE, id="url of the api"),
        pytest.param(f"https://api.cint.com/v1/demand/{PLACE}/recontacts/overview", WHOLE, id="operation"),
        pytest.param(f"https://api.cint.com/{PLACE}/details?a={CANARY}#top", WHOLE, id="query and fragment"),
        pytest.param(f"https://ui.example/#/{PLACE}", WHOLE, id="after a fragment"),
        pytest.param(f"/demand/{PLACE}/", WHOLE, id="path"),
        pytest.param(PLACE, WHOLE, id="path without a slash before it"),
        pytest.param(f"recontact://{PLACE}/upload-jobs/01BTGNYV6HRNK8K8VKZASZCFZZ", WHOLE, id="our own resource"),
        pytest.param(f"HTTPS://UI.EXAMPLE/{PLACE.upper()}", WHOLE, id="upper case"),
        pytest.param(f"https://ui.example/{PLACE.lower()}", WHOLE, id="lower case"),
        pytest.param(f"https://ui.example/{quote(PLACE, safe='')}", WHOLE, id="percent-encoded"),
        pytest.param(quote(f"x/{PLACE}", safe=""), WHOLE, id="percent-encoded without any slash"),
        pytest.param(
            f"https://login.example/?next={quote(quote('https://ui.example/' + PLACE, safe=''), safe='')}",
            WHOLE,
            id="inside the query of a login page, twice",
        ),
        pytest.param(f"It is <https://ui.example/{PLACE}>, I think.", WHOLE, id="inside a sentence"),
        pytest.param(f"See https://ui.example/target-groups/{GROUP}.", Pasted(GROUP), id="before a full stop"),
        pytest.param(f"[wave 2](https://ui.example/{PLACE})", WHOLE, id="markdown"),
        pytest.param(f"target-groups/{GROUP}", Pasted(GROUP), id="target group alone"),
        pytest.param(f"/v1/demand/target-groups/{GROUP}/overview", Pasted(GROUP), id="overview by id"),
        pytest.param(f"projects/{PROJECT}/target-groups/{GROUP}", Pasted(GROUP, PROJECT), id="without account"),
        pytest.param(
            f"/demand/accounts/7/target-groups/{GROUP}/exclusion-groups/5/target-groups",
            Pasted(GROUP, None, 7),
            id="without project",
        ),
        pytest.param(f"{PLACE} and {PLACE.lower()}", WHOLE, id="the same twice"),
        pytest.param(f"/my-projects/{CANARY}/{PLACE}", WHOLE, id="a word that only ends like one of the API's"),
    ],
)
def test_the_ids_of_what_was_pasted_are_found(text: str, expected: Pasted) -> None:
    assert read_pasted(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "26 letters and digits", id="nothing"),
        pytest.param(CANARY, "26 letters and digits", id="respondent id"),
        pytest.param(f"https://ui.example/?token={CANARY}", "neither an id nor a URL", id="url without an id"),
        pytest.param(f"accounts/101/projects/{PROJECT}/{CANARY}", "neither an id nor a URL", id="project alone"),
        pytest.param(f"target-groups/{CANARY}", "target_group_id", id="respondent id for a target group"),
        pytest.param(f"projects/{CANARY}/target-groups/{GROUP}", "project_id", id="respondent id for a project"),
        pytest.param(f"accounts/{CANARY}/target-groups/{GROUP}", "account_id", id="respondent id for an account"),
        pytest.param(f"accounts/0/target-groups/{GROUP}", "account_id", id="account below one"),
        pytest.param(f"accounts/{2**31}/target-groups/{GROUP}", "account_id", id="account beyond 32 bits"),
        pytest.param(f"accounts/\u0661/target-groups/{GROUP}", "account_id", id="other digits"),
        pytest.param(f"target-groups/{GROUP[:-1]}\u017f", "target_group_id", id="a letter that only looks like one"),
        pytest.param(f"target-group\u017f/{GROUP}", "neither an id nor a URL", id="a word that only looks like one"),
        pytest.param(
            f"{CANARY} target-groups/{GROUP} target-groups/{OTHER}", "more than one target_group_id", id="two groups"
        ),
        pytest.param(f"{PLACE} projects/{OTHER}/target-groups/{GROUP}", "more than one project_id", id="two projects"),
        pytest.param(f"{PLACE} accounts/102/target-groups/{GROUP}", "more than one account_id", id="two accounts"),
        pytest.param(f"{CANARY}/{PLACE}/{'x' * PASTED_MAX}", "longer than 2,000", id="too long"),
    ],
)
def test_what_does_not_name_one_target_group_is_refused_without_being_repeated(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        read_pasted(text)
    told = str(refused.value.as_dict())
    assert refused.value.code is ErrorCode.INVALID_ARGUMENTS
    assert refused.value.safe_to_repeat
    assert not any(secret in told for secret in (CANARY, GROUP, OTHER, PROJECT))


def test_a_text_of_ten_megabytes_is_refused_unread() -> None:
    with pytest.raises(InvalidInput, match="longer than 2,000"):
        read_pasted(f"target-groups/{GROUP}/" * 300_000)


@settings(deadline=None)
@given(
    group=ULIDS,
    project=ULIDS | st.none(),
    account=ACCOUNTS | st.none(),
    before=st.sampled_from(["", "/", "https://api.cint.com/v1/demand/", "recontact://", "http://x/?u=", "x "]),
    after=st.sampled_from(["", "/", "/details", "/recontacts/rsids?page_size=10&start_after=a%2Fb", "#y", ")."]),
    encodings=st.integers(min_value=0, max_value=3),
)
def test_whatever_stands_around_it_the_same_ids_are_found(
    group: str, project: str | None, account: int | None, before: str, after: str, encodings: int
) -> None:
    parts = [f"accounts/{account}/" if account else "", f"projects/{project}/" if project else ""]
    text = f"{before}{''.join(parts)}target-groups/{group}{after}"
    for _ in range(encodings):
        text = quote(text, safe="")
    assume(len(text) <= PASTED_MAX)
    assert read_pasted(text) == Pasted(group.upper(), project.upper() if project else None, account)


@settings(deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(["accounts", "projects", "target-groups", "/", "%2F", "%", "?", GROUP, OTHER, "101", " "]),
        max_size=12,
    ).map("".join)
)
def test_any_text_is_read_as_checked_ids_or_refused(text: str) -> None:
    try:
        found = read_pasted(text)
    except InvalidInput:
        return
    for ulid in (found.target_group_id, found.project_id):
        assert ulid is None or (len(ulid) == 26 and ulid.isascii() and ulid.isalnum() and ulid == ulid.upper())
    assert found.account_id is None or 0 < found.account_id < 2**31


def test_arguments_complete_what_was_pasted_and_may_say_the_same() -> None:
    assert with_arguments(Pasted(GROUP), None, None) == Pasted(GROUP)
    assert with_arguments(Pasted(GROUP), "", None) == Pasted(GROUP)
    assert with_arguments(Pasted(GROUP), PROJECT.lower(), 101) == WHOLE
    assert with_arguments(WHOLE, None, None) == with_arguments(WHOLE, PROJECT.lower(), 101) == WHOLE


@pytest.mark.parametrize(
    ("project", "account", "named"),
    [
        pytest.param(OTHER, None, "project_id contradicts", id="project"),
        pytest.param(None, 102, "account_id contradicts", id="account"),
        pytest.param(OTHER[:-1], None, "project_id must be", id="malformed project"),
        pytest.param(None, 0, "account_id must be", id="malformed account"),
    ],
)
def test_an_argument_that_contradicts_what_was_pasted_is_named(
    project: str | None, account: int | None, named: str
) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        with_arguments(WHOLE, project, account)
    assert OTHER not in str(refused.value.as_dict())
