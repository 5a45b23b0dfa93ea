"""What the operator allows."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.models import TargetGroup
from recontact_tools.policy import Policy, Readable, Writable, check_parts, check_read, check_write, may_read

GROUP = TargetGroup(101, "PROJECT", "GROUP")
OPEN = Policy(read_only=False, accounts=None, projects=None, target_groups=None)


def test_what_was_never_set_allows_everything() -> None:
    assert check_read(OPEN, GROUP) == Readable(GROUP)
    assert check_write(OPEN, GROUP) == Writable(GROUP)


def test_read_only_refuses_changes_and_names_the_setting() -> None:
    policy = Policy(read_only=True, accounts=None, projects=None, target_groups=None)
    assert check_read(policy, GROUP) == Readable(GROUP)
    with pytest.raises(NotAllowed) as refused:
        check_write(policy, GROUP)
    assert refused.value.code is ErrorCode.READ_ONLY
    assert "operator" in refused.value.next_step
    assert refused.value.details == {
        "setting": "RECONTACT_READ_ONLY",
        "rule": "RECONTACT_READ_ONLY",
        "lifted_by": "the operator of this server",
    }


def test_a_list_that_is_set_but_empty_allows_nothing() -> None:
    policy = Policy(read_only=False, accounts=frozenset(), projects=None, target_groups=None)
    with pytest.raises(NotAllowed, match="RECONTACT_ALLOWED_ACCOUNTS"):
        check_read(policy, GROUP)


IDS = st.frozensets(st.sampled_from(["GROUP", "SECRET1", "SECRET2"])) | st.none()


@settings(deadline=None)
@given(
    read_only=st.booleans(),
    accounts=st.frozensets(st.sampled_from([101, 99887766])) | st.none(),
    projects=st.frozensets(st.sampled_from(["PROJECT", "SECRET1"])) | st.none(),
    target_groups=IDS,
)
def test_a_set_list_allows_what_it_holds_and_tells_nobody_what_that_is(
    *,
    read_only: bool,
    accounts: frozenset[int] | None,
    projects: frozenset[str] | None,
    target_groups: frozenset[str] | None,
) -> None:
    policy = Policy(read_only=read_only, accounts=accounts, projects=projects, target_groups=target_groups)
    denying = [
        setting
        for setting, denied in (
            ("RECONTACT_ALLOWED_ACCOUNTS", accounts is not None and 101 not in accounts),
            ("RECONTACT_ALLOWED_PROJECTS", projects is not None and "PROJECT" not in projects),
            ("RECONTACT_ALLOWED_TARGET_GROUPS", target_groups is not None and "GROUP" not in target_groups),
        )
        if denied
    ]
    if not denying:
        assert check_read(policy, GROUP) == Readable(GROUP)
        return
    for check in (check_read, check_write):
        with pytest.raises(NotAllowed) as refused:
            check(policy, GROUP)
        assert refused.value.code is ErrorCode.POLICY_DENIED
        assert refused.value.details["setting"] == refused.value.details["rule"] == denying[0]
        assert "SECRET" not in str(refused.value.as_dict())
        assert "99887766" not in str(refused.value.as_dict())


def test_what_is_not_known_yet_of_a_place_denies_nothing_unless_nothing_is_allowed_at_all() -> None:
    other = Policy(read_only=False, accounts=frozenset({7}), projects=frozenset({"OTHER"}), target_groups=None)
    check_parts(other, "GROUP", None, None)
    with pytest.raises(NotAllowed, match=r"that account \(RECONTACT_ALLOWED_ACCOUNTS"):
        check_parts(other, "GROUP", None, 101)
    with pytest.raises(NotAllowed, match=r"that project \(RECONTACT_ALLOWED_PROJECTS"):
        check_parts(other, "GROUP", "PROJECT", None)
    for name, nowhere in (
        ("ACCOUNTS", replace(OPEN, accounts=frozenset[int]())),
        ("PROJECTS", replace(OPEN, projects=frozenset[str]())),
        ("TARGET_GROUPS", replace(OPEN, target_groups=frozenset[str]())),
    ):
        with pytest.raises(NotAllowed, match=r"any .*RECONTACT_ALLOWED_" + name):
            check_parts(nowhere, None, None, None)
    assert may_read(OPEN, GROUP)
    assert not may_read(other, GROUP)
