"""Checks of what an adapter says became of each record: it must be what the fake did."""

from __future__ import annotations

import httpx
import pytest

from destinations.testing.fake import Speech
from destinations.testing.faults import Answered, Lost
from destinations.testing.suite import Stage, Suite


class Outcomes(Suite):
    """What is said."""

    def test_every_record_gets_an_outcome_and_arrives(self, stage: Stage) -> None:
        records = stage.people(5)

        ended = stage.deliver(records)

        assert ended.delivered == set(records)
        stage.assert_delivered(records, ended)

    def test_a_rejected_record_is_named_and_the_others_arrive(self, stage: Stage) -> None:
        records = stage.people(5)
        bad = list(records)[1]
        stage.fake.reject(bad)

        ended = stage.deliver(records)

        stage.assert_all_but(bad, records, ended)

    def test_outcomes_are_matched_by_id_whatever_their_order(self, stage: Stage) -> None:
        if stage.api.answers_by_place:
            pytest.skip("the API answers in the order of the request and names no record")
        records = stage.people(5)
        bad = list(records)[1]
        stage.api.reject(bad)
        stage.api.speech = Speech.BACKWARDS

        ended = stage.deliver(records)

        stage.assert_all_but(bad, records, ended)

    @pytest.mark.parametrize("speech", [Speech.WITHOUT_THE_LAST, Speech.TWICE, Speech.OF_A_STRANGER])
    def test_an_answer_that_does_not_fit_the_batch_is_no_success(self, stage: Stage, speech: Speech) -> None:
        """D5: who is not named is unknown, and who was not sent makes the whole answer doubtful."""
        records = stage.people(5)
        stage.api.speech = speech

        ended = stage.deliver(records, line=stage.line(attempts=1))

        if not stage.api.is_heard:
            pytest.skip(f"the API has no words for an answer {speech.value}")
        doubtful = set(list(records)[-1:] if speech is Speech.WITHOUT_THE_LAST else records)
        stage.assert_open(doubtful, ended)

    def test_a_refusal_inside_a_success_delivers_nothing(self, stage: Stage) -> None:
        """D3, D4."""
        records = stage.people(3)
        stage.deliver(records)
        answer = stage.api.refused_inside(stage.api.sent[-1])
        if answer is None:
            pytest.skip("the API has no refusal inside a 2xx")
        stage.api.trouble(Answered("refused inside", answer.status_code, answer.headers, answer.content), always=True)

        ended = stage.deliver(records, plan="plan-2", line=stage.line(attempts=2))

        assert ended.delivered == set()

    def test_a_poison_record_stands_alone_and_the_others_arrive(self, stage: Stage) -> None:
        """D6: the whole call is refused for one record, and nothing says for which."""
        records = stage.people(9)
        bad = list(records)[6]
        stage.api.poison(bad)

        ended = stage.deliver(records)

        stage.assert_all_but(bad, records, ended)

    def test_the_same_batch_twice_has_no_second_effect(self, stage: Stage) -> None:
        """N10, D17."""
        stage.needs_repeats()
        records = stage.people(3)

        stage.deliver(records)
        ended = stage.deliver(records)

        stage.assert_once(records, ended)

    def test_a_lost_answer_is_unknown_and_the_next_run_settles_it(self, stage: Stage) -> None:
        """P2, I5: the call took effect and nobody heard of it."""
        stage.needs_repeats()
        records = stage.people(3)
        stage.api.trouble(Lost("an answer that is lost", httpx.ReadTimeout, applied=True), always=True)

        before = stage.deliver(records, line=stage.line(attempts=2))
        stage.api.trouble()
        ended = stage.deliver(records)

        assert {id: one.outcome for id, one in before.others.items()} == dict.fromkeys(records, "unknown")
        stage.assert_once(records, ended)
