"""Every code that a client may branch on has a test here that brings it about; a code without one fails."""

import ast
from pathlib import Path

import pytest

from recontact_tools.errors import ErrorCode

HERE = Path(__file__).resolve().parent

TESTS = {
    ErrorCode.INVALID_ARGUMENTS: "refusals: test_wrong_arguments_are_refused_without_being_repeated",
    ErrorCode.INVALID_FILE: "refusals: test_a_file_without_identifiers_never_leaves_the_machine",
    ErrorCode.FILE_TOO_LARGE: "refusals: test_a_file_without_identifiers_never_leaves_the_machine",
    ErrorCode.FILE_NOT_READABLE: "refusals: test_a_file_that_may_not_be_read_is_refused_in_one_way_whatever_the_reason",
    ErrorCode.TICKET_EMPTY: "staging: test_a_ticket_without_a_file_says_that_the_user_has_to_send_it",
    ErrorCode.TICKET_NOT_VALID: "staging: test_a_ticket_that_nobody_was_given_is_of_no_use",
    ErrorCode.TOO_MANY_IDS: "refusals: test_more_than_a_thousand_ids_belong_in_a_file",
    ErrorCode.CAPACITY_EXCEEDED: "refusals: test_an_upload_beyond_the_room_left_is_refused_with_the_exact_room",
    ErrorCode.IDEMPOTENCY_CONFLICT: "repeats: test_a_key_that_stands_for_another_call_is_refused_and_nothing_is_sent",
    ErrorCode.NOTHING_TO_REMOVE: "consent: test_an_empty_target_group_is_not_asked_about",
    ErrorCode.POLICY_DENIED: "policy: test_an_allow_list_holds_for_every_tool",
    ErrorCode.READ_ONLY: "policy: test_a_read_only_server_reads_and_changes_nothing",
    ErrorCode.FROZEN: "authorization: test_while_frozen_every_change_is_refused_and_reading_goes_on",
    ErrorCode.INSUFFICIENT_SCOPE: "authorization: test_a_token_with_too_little_is_told_what_is_needed",
    ErrorCode.CAP_REACHED: "authorization: test_more_than_a_day_allows_is_refused_until_the_day_is_over",
    ErrorCode.APPROVAL_REQUIRED: "approval: test_a_client_that_cannot_ask_is_told_that_a_person_has_to_agree_elsewhere",
    ErrorCode.CONFIRMATION_DECLINED: "consent: test_a_question_that_is_declined_or_closed_removes_nothing",
    ErrorCode.CONFIRMATION_MISMATCH: "consent: test_an_answer_that_is_not_the_phrase_removes_nothing",
    ErrorCode.CONFIRMATION_TIMED_OUT: "consent_rounds: "
    "test_a_question_that_a_legacy_client_drops_times_out_and_a_late_answer_does_nothing",
    ErrorCode.PLAN_NOT_VALID: "consent: test_a_plan_that_expires_before_the_answer_removes_nothing",
    ErrorCode.PLAN_DRIFTED: "consent: test_a_count_that_changes_between_question_and_answer_removes_nothing",
    ErrorCode.SNAPSHOT_INCOMPLETE: "snapshots: "
    "test_a_list_that_is_not_what_the_api_counts_is_no_snapshot_and_nothing_is_removed",
    ErrorCode.SNAPSHOT_UNREADABLE: "snapshots: test_a_key_that_cannot_be_trusted_is_refused_before_anything_is_removed",
    ErrorCode.REPLACEMENT_FAILED: "replace_trouble: "
    "test_a_replacement_that_can_do_no_more_stops_and_says_how_to_put_the_old_list_back",
    ErrorCode.CANCELLED: "cancelled: test_a_job_that_was_called_off_says_that_nothing_was_changed",
    ErrorCode.UNREACHABLE: "api_errors: test_without_a_connection_nothing_was_changed",
    ErrorCode.UNAVAILABLE: "api_errors: test_a_read_that_the_api_does_not_answer_changed_nothing",
    ErrorCode.REFUSED: "api_errors: test_a_request_that_the_api_finds_wrong_is_refused",
    ErrorCode.JOB_RUNNING: "conflicts: test_a_job_of_somebody_else_is_seen_before_anything_is_sent",
    ErrorCode.NOT_FOUND: "api_errors: test_a_target_group_that_nobody_knows_is_not_found",
    ErrorCode.NOT_PERMITTED: "api_errors: test_a_read_that_the_api_does_not_answer_changed_nothing",
    ErrorCode.RATE_LIMITED: "api_errors: test_a_read_that_the_api_does_not_answer_changed_nothing",
    ErrorCode.FEATURE_MISSING: "missing: test_without_the_download_of_files_nothing_is_compared",
    ErrorCode.OUTCOME_UNKNOWN: "api_errors: test_an_upload_that_never_arrived_is_unknown_and_never_sent_twice",
    ErrorCode.INTERNAL_ERROR: "api_errors: "
    "test_what_nobody_foresaw_is_reported_in_our_words_and_logged_without_arguments",
}
# The only code of one era: a modern question has no call that waits for its answer, so it can only expire.
LEGACY_ONLY = {ErrorCode.CONFIRMATION_TIMED_OUT}


def test_every_code_has_a_test() -> None:
    assert set(TESTS) == set(ErrorCode)


@pytest.mark.parametrize("code", list(TESTS), ids=lambda code: str(code.value))
def test_the_test_of_a_code_expects_it_in_both_eras(code: ErrorCode) -> None:
    name, _, test = TESTS[code].partition(": ")
    module = ast.parse((HERE / f"test_surface_{name}.py").read_text(encoding="utf-8"))
    [found] = [node for node in module.body if isinstance(node, ast.AsyncFunctionDef) and node.name == test]
    said = {node.value for node in ast.walk(found) if isinstance(node, ast.Constant)}
    assert code.value in said
    assert ("era" in {argument.arg for argument in found.args.args}) is (code not in LEGACY_ONLY)
