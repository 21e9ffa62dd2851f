"""The suite can fail: every adapter of the modules `broken…` is wrong in one way, and caught by the check that is about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from destinations.testing.conformance import Conformance

BROKEN = Path(__file__).with_name("broken.py")
BROKEN_JOBS = Path(__file__).with_name("broken_jobs.py")
BROKEN_AUTH = Path(__file__).with_name("broken_auth.py")
BROKEN_READINGS = Path(__file__).with_name("broken_readings.py")
CAUGHT = {
    "TestSilenceIsSuccess": "test_an_answer_that_does_not_fit_the_batch_is_no_success",
    "TestByPlace": "test_outcomes_are_matched_by_id_whatever_their_order",
    "TestDropsNulls": "test_null_clears_a_field_and_an_absent_field_keeps_its_value",
    "TestFoldsKeys": "test_every_key_finds_its_own_record",
    "TestRoundsDecimals": "test_values_arrive_as_they_are",
    "TestEscapesEverything": "test_a_call_never_carries_more_bytes_than_the_limit",
    "TestPromisesTooMuch": "test_a_call_never_carries_more_records_than_the_limit",
    "TestShowsItsSecret": "test_no_secret_shows_in_the_texts_of_objects",
    "TestTalkative": "test_no_secret_shows_in_the_refusal_of_a_config",
    "TestLogs": "test_no_secret_is_logged_or_said",
    "TestSecretInTheAddress": "test_no_secret_stands_in_an_address",
    "TestSwallowsExpiry": "test_a_refused_credential_or_address_stops_the_run",
    "TestRetriesExpiry": "test_a_refused_credential_or_address_stops_the_run",
    "TestNewKeyEachTime": "test_after_an_outage_the_same_call_comes_again",
    "TestNoKey": "test_every_record_gets_an_outcome_and_arrives",
    "TestStatusIsEnough": "test_an_answer_that_cannot_be_read_delivers_nothing",
    "TestImpatient": "test_a_throttled_call_waits_as_asked_and_arrives",
    "TestGivesUp": "test_while_an_outage_lasts_nothing_counts_as_delivered",
    "TestBlamesAll": "test_a_poison_record_stands_alone_and_the_others_arrive",
    "TestRejectedIsFailed": "test_a_rejected_record_is_named_and_the_others_arrive",
    "TestDeletesBecomeUpserts": "test_each_operation_does_what_its_name_says",
    "TestUnsubscribesByDeleting": "test_an_unsubscribe_keeps_the_record_until_what_the_spec_names_takes_it_back",
    "TestBelievesTwoHundred": "test_a_refusal_inside_a_success_delivers_nothing",
    "TestWaits": "test_an_answer_that_never_ends_is_cut_off",
    "TestAlwaysWell": "test_a_check_says_what_is_wrong",
    "TestChecksByWriting": "test_a_check_of_a_healthy_destination_says_so_and_changes_nothing",
    "TestNamesNoField": "test_the_fields_of_the_object_are_named",
}
ALSO_CAUGHT = {
    "TestNewKeyEachTime": "test_the_same_batch_twice_has_no_second_effect",
    "TestWaits": "test_a_lost_answer_is_unknown_and_the_next_run_settles_it",
    "TestNoKey": "test_a_record_that_no_call_can_carry_is_rejected_alone",
}
CAUGHT_WITH_JOBS = {
    "TestRunningIsDelivered": "test_a_job_counts_when_it_has_ended",
    "TestFailedIsDelivered": "test_a_job_that_failed_delivers_nothing",
    "TestTakenIsDelivered": "test_a_job_that_never_ends_is_given_up_with_its_id",
    "TestRunningIsFailed": "test_a_job_that_never_ends_is_given_up_with_its_id",
    "TestEndedIsDelivered": "test_a_rejected_record_is_named_and_the_others_arrive",
    "TestSubmitsAgain": "test_trouble_with_a_question_submits_nothing_again",
    "TestReadsEverything": "test_an_answer_about_a_job_that_cannot_be_read_is_asked_for_again",
    "TestRemembersTheJobItself": "test_a_job_that_an_earlier_process_left_is_asked_about",
    "TestGoneIsDelivered": "test_a_job_that_the_api_no_longer_knows_is_unknown",
}
CAUGHT_WITH_TOKENS = {
    "TestRenewsEachTime": "test_a_token_that_expires_in_a_run_is_renewed_once",
    "TestRenewsForEver": "test_a_token_that_is_refused_again_stops_the_run",
    "TestRepeatsTwice": "test_a_token_that_expires_in_a_run_is_renewed_once",
    "TestKeepsTrying": "test_a_credential_that_gets_no_token_stops_the_run",
    "TestSendsAnyway": "test_while_no_token_can_be_had_nothing_is_sent",
    "TestQuotesItsCall": "test_no_token_is_logged_or_said_or_stands_in_an_address",
    "TestForgetsItsSuccessor": "test_a_later_run_is_authorised_too",
}
CAUGHT_READING_BACK = {
    "TestComparesTexts": "test_what_was_delivered_is_found_as_it_was_sent",
    "TestTrustsWhatItSent": "test_what_differs_is_found_and_what_is_not_there_is_not",
    "TestReadsByWriting": "test_reading_back_changes_nothing",
}
_MODULES = (
    (BROKEN, CAUGHT),
    (BROKEN, ALSO_CAUGHT),
    (BROKEN_JOBS, CAUGHT_WITH_JOBS),
    (BROKEN_AUTH, CAUGHT_WITH_TOKENS),
    (BROKEN_READINGS, CAUGHT_READING_BACK),
)
_PAIRS = [pair for _, caught in _MODULES for pair in caught.items()]


@pytest.fixture(scope="module")
def failed() -> set[tuple[str, str]]:
    """Class and check of what failed in one run over all pairs."""
    targets = [f"{module}::{suite}::{check}" for module, caught in _MODULES for suite, check in caught.items()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rf", *targets],
        cwd=BROKEN.parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        check=False,
    )
    lines = [line.split()[1].split("::") for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert lines, done.stdout + done.stderr
    return {(suite, check.partition("[")[0]) for _, suite, check in lines}


@pytest.mark.parametrize(("suite", "check"), _PAIRS)
def test_a_broken_adapter_is_caught(failed: set[tuple[str, str]], suite: str, check: str) -> None:
    assert (suite, check) in failed


def test_there_is_no_check_that_no_adapter_can_fail() -> None:
    checks = {name for name in dir(Conformance) if name.startswith("test_")}

    assert checks == {check for _, check in _PAIRS}
