"""Checks of single arguments."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.guardrails import (
    FromIds,
    FromPath,
    account_id_checked,
    check_one_source,
    is_number,
    project_id_checked,
    target_group_id_checked,
)

CANARY = "0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10"


@settings(deadline=None)
@given(st.from_regex(r"\A[0-9A-Z]{26}\Z"))
def test_a_well_formed_id_is_accepted_however_it_was_pasted(ulid: str) -> None:
    assert target_group_id_checked(f" {ulid.lower()}\n") == ulid
    assert project_id_checked(ulid) == ulid


@settings(deadline=None)
@given(st.text(max_size=30) | st.text(alphabet="01aZ\u0131\u00df\u017f\u212a", min_size=25, max_size=27))
def test_an_id_is_accepted_exactly_when_it_has_the_shape_of_the_api(text: str) -> None:
    if re.fullmatch(r"[0-9A-Za-z]{26}", text.strip()):
        assert target_group_id_checked(text) == text.strip().upper()
        return
    with pytest.raises(InvalidInput) as refused:
        target_group_id_checked(text)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENTS
    assert refused.value.safe_to_repeat


def test_a_malformed_id_is_never_repeated() -> None:
    with pytest.raises(InvalidInput) as refused:
        project_id_checked(CANARY)
    assert CANARY not in str(refused.value.as_dict())
    assert "project_id" in refused.value.message


@settings(deadline=None)
@given(st.integers())
def test_an_account_id_is_a_positive_int32(account_id: int) -> None:
    if 0 < account_id < 2**31:
        assert account_id_checked(account_id) == account_id
    else:
        with pytest.raises(InvalidInput, match="account_id"):
            account_id_checked(account_id)


@given(st.text())
def test_what_is_taken_for_a_number_can_be_read_as_one(text: str) -> None:
    if is_number(text):
        assert 0 <= int(text) < 10**10


def test_exactly_one_source_is_accepted_and_an_empty_one_is_none() -> None:
    assert check_one_source(path="ids.csv", ids=None) == FromPath("ids.csv")
    assert check_one_source(path="ids.csv", ids=[]) == FromPath("ids.csv")
    assert check_one_source(path="", ids=["a"]) == FromIds(("a",))


@pytest.mark.parametrize(
    ("path", "ids", "said"),
    [
        pytest.param(None, None, "neither was given", id="none"),
        pytest.param("", [], "neither was given", id="both empty"),
        pytest.param(f"/home/{CANARY}", [CANARY], "both were given", id="both"),
    ],
)
def test_no_source_or_two_are_refused_without_repeating_them(
    path: str | None, ids: list[str] | None, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        check_one_source(path=path, ids=ids)
    assert CANARY not in str(refused.value.as_dict())
