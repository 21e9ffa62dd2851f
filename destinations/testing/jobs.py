"""Checks of an adapter that submits jobs: none counts before it ended, and none is submitted a second time."""

from __future__ import annotations

import pytest

from destinations.testing.fake_jobs import JobsFake
from destinations.testing.faults import OUTAGES, THROTTLINGS, Answered, Lost, Spoiled
from destinations.testing.suite import Records, Stage, Suite
from engine.delivery.rehearsal import KeptJobs

TROUBLE = (*(throttling.fault for throttling in THROTTLINGS), *OUTAGES)


class Jobs(Suite):
    """What becomes of jobs."""

    def test_a_job_counts_when_it_has_ended(self, stage: Stage) -> None:
        records = stage.people(5)
        stage.jobs.lasts(4)

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        assert ended.waited_seconds > 0
        _assert_submitted_once(stage.jobs)

    def test_a_job_that_failed_delivers_nothing(self, stage: Stage) -> None:
        records = stage.people(3)
        stage.jobs.fail()

        ended = stage.deliver(records, line=stage.line(attempts=2))

        assert ended.delivered == set()
        _assert_untouched(stage, records)

    def test_a_job_that_never_ends_is_given_up_with_its_id(self, stage: Stage) -> None:
        """D14: nobody knows what it still does, so nobody submits it again."""
        records = stage.people(3)
        stage.jobs.lasts(None)

        ended = stage.deliver(records)

        assert {id: one.outcome for id, one in ended.others.items()} == dict.fromkeys(records, "unknown")
        assert all("job-1" in one.message for one in ended.others.values())
        _assert_submitted_once(stage.jobs)
        _assert_untouched(stage, records)

    @pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: fault.name)
    def test_trouble_with_a_question_submits_nothing_again(self, stage: Stage, fault: Answered | Lost) -> None:
        records = stage.people(3)
        stage.jobs.trouble_asking(fault, fault)

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        _assert_submitted_once(stage.jobs)

    def test_an_answer_about_a_job_that_cannot_be_read_is_asked_for_again(
        self, stage: Stage, spoiling: Spoiled
    ) -> None:
        """D15, N14."""
        records = stage.people(3)
        stage.jobs.trouble_asking(spoiling, spoiling)

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        _assert_submitted_once(stage.jobs)

    def test_a_job_that_an_earlier_process_left_is_asked_about(self, stage: Stage) -> None:
        """The adapter of the second process knows of the job only what was kept: its id."""
        records, kept = stage.people(3), KeptJobs()
        stage.jobs.lasts(None)
        stage.deliver(records, line=stage.line(jobs=kept))
        stage.jobs.lasts(1)

        ended = stage.deliver(records, line=stage.line(jobs=kept))

        stage.assert_once(records, ended)
        _assert_submitted_once(stage.jobs)

    def test_a_job_that_the_api_no_longer_knows_is_unknown(self, stage: Stage) -> None:
        """D15: what it did stands where nobody can read it any more."""
        records = stage.people(3)
        stage.jobs.forget()

        ended = stage.deliver(records)

        assert {id: one.outcome for id, one in ended.others.items()} == dict.fromkeys(records, "unknown")


def _assert_submitted_once(api: JobsFake) -> None:
    """No call with records came twice."""
    contents = [request.content for request in api.sent]
    assert contents, "nothing was submitted"
    assert len(set(contents)) == len(contents), "a batch was submitted again"


def _assert_untouched(stage: Stage, records: Records) -> None:
    """Nothing is held but what an update needs to be there before."""
    stage.assert_held({held: fields for id in records for held, fields in stage.untouched(id).items()})
