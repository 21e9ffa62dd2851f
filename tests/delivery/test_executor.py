"""The window loop: intent, send, receipt; every row in one bucket, and nothing goes on after a stop (I4, I5, I7, P4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    Failed,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
    Unavailable,
)
from engine.delivery.allowance import AllMayLeave
from engine.delivery.batches import slices
from engine.delivery.executor import Completed, Executor, Stopped
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.stop import StopRequest
from engine.delivery.window import Pacing, WindowRules
from tests.delivery.scripted import DIGEST, RULES, Journal, Scripted, Sent, numbered, ran, refusing, rows, sender
from tests.property.effort import examples

AWAY = Unavailable("503", "away", applied_unknown=False)
STOP = Stop("401", "who?")


def test_every_window_is_intended_before_its_first_byte_and_received_after_its_last() -> None:
    sent = Sent(lambda _: AllDelivered(), count=70)

    assert sent.run(window=5, number=40) == Completed()

    assert sent.journal.story == [
        ("intent", 5, 0),
        ("receipt", 5, 3),
        ("intent", 6, 3),
        ("receipt", 6, 6),
        ("intent", 7, 6),
        ("receipt", 7, 7),
    ]
    assert sent.buckets == {"delivered": 70}


def test_what_is_sent_is_what_was_intended_under_its_key() -> None:
    sent = Sent(lambda _: AllDelivered(), count=45)

    sent.run(number=7)

    assert [intent.number for intent in sent.journal.intents] == [7, 8, 9, 10, 11]
    assert [r.number for r in sent.journal.receipts] == [7, 8, 9, 10, 11]
    intended = {intent.key: tuple(map(str, range(intent.first, intent.last + 1))) for intent in sent.journal.intents}
    assert dict(zip(sent.destination.keys, sent.destination.sent, strict=True)) == intended
    assert {intent.op for intent in sent.journal.intents} == {"upsert"}


def test_an_empty_plan_is_complete_without_a_word_in_the_log() -> None:
    sent = Sent(lambda _: STOP, count=0)

    assert sent.run() == Completed()
    assert sent.journal.story == []


REPLIES = st.sampled_from(
    ["all", "some", "silent", "foreign", "refused", "away", "timeout", "throttled", "stop", "raise"]
)


def scripted(words: list[str]) -> Callable[[Batch], Reply]:
    """Replies drawn for each first id of a batch, so that they do not depend on the order of calls."""

    def script(batch: Batch) -> Reply:
        match words[int(batch.ids[0]) % len(words)]:
            case "all":
                return AllDelivered()
            case "some":
                kinds = [Delivered(i) if int(i) % 3 else Rejected(i, "bad", "") for i in batch.ids[1:]]
                return Outcomes((Failed(batch.ids[0], "busy", ""), *kinds))
            case "silent":
                return Outcomes(())
            case "foreign":
                return Outcomes((Delivered("nobody"),))
            case "refused":
                return Refused("bad", "no")
            case "away":
                return AWAY
            case "timeout":
                return Unavailable("no_answer", "", applied_unknown=True)
            case "throttled":
                return Throttled()
            case "stop":
                return STOP
            case _:
                raise RuntimeError(batch.ids[0])

    return script


@given(
    words=st.lists(REPLIES, min_size=1, max_size=13),
    count=st.integers(1, 90),
    batches=st.integers(1, 4),
    concurrency=st.integers(1, 4),
)
@examples(150)
def test_every_intended_row_is_in_exactly_one_bucket_and_no_other_row_left(
    words: list[str], count: int, batches: int, concurrency: int
) -> None:
    sent = Sent(scripted(words), count, WindowRules(batches, concurrency, stop_ratio=1.0))

    end = sent.run()

    intended = [n for i in sent.journal.intents for n in range(i.first, i.last + 1)]
    assert intended == list(range(len(intended))), "windows follow one another"
    assert sent.buckets.total() == len(intended)
    assert end == Completed() or isinstance(end, Stopped)
    assert len(intended) == count or isinstance(end, Stopped)
    places = [e.ordinal for e in sent.journal.exceptions]
    assert len(set(places)) == len(places)
    assert Counter(e.outcome for e in sent.journal.exceptions) == sent.buckets - Counter(
        delivered=sent.buckets["delivered"]
    )
    assert {i for batch in sent.destination.sent for i in batch} <= set(map(str, intended))


@pytest.mark.parametrize(
    ("rate", "window"),
    [(None, 3), (0.5, 3), (1.3, 3), (1.4, 4), (2.4, 7), (1_000_000.0, 8)],
)
def test_a_window_is_three_seconds_of_calls_where_they_have_a_pace_between_its_least_and_its_most(
    rate: float | None, window: int
) -> None:
    rules = WindowRules(batches=3, concurrency=2, stop_ratio=1.0, batches_max=8)
    pacing = Pacing(rate, 1, 0) if rate is not None else None
    sent = Sent(lambda _: AllDelivered(), 10 * 2 * window, rules, pacing=lambda: pacing)

    assert sent.run() == Completed()

    assert sent.journal.story == [
        ("intent", 0, 0),
        ("receipt", 0, window),
        ("intent", 1, window),
        ("receipt", 1, 2 * window),
    ]


def test_receipts_count_what_was_delivered_by_its_effect() -> None:
    plan = [
        rows([f"d{n}" for n in range(4)], "delete", "delete"),
        rows(["u1", "u2"], change="update"),
        rows(["i1", "i2"]),
    ]
    destination = Scripted(refusing({"d1", "i2"}))
    journal = Journal(destination)
    executor = Executor(
        sender(destination, SkippedClock()), journal, RULES, AllMayLeave(), sync="people", digest=DIGEST
    )

    end = ran(executor.run(slices(plan, first=0, records=10, size=10**6), window=0, number=0, stop=StopRequest()))

    assert end == Completed()
    assert [(r.inserts, r.updates, r.deletes, r.rejected) for r in journal.receipts] == [(0, 0, 3, 1), (1, 2, 0, 1)]


@pytest.mark.parametrize(
    ("reply", "code", "outcome"),
    [(STOP, "401", "failed"), (AWAY, "503", "failed"), (Throttled(), "throttled", "failed")],
)
def test_what_ends_one_batch_leaves_the_others_of_the_window_unsent_and_owed(
    reply: Reply, code: str, outcome: str
) -> None:
    sent = Sent(lambda _: reply, rules=WindowRules(batches=8, concurrency=1, stop_ratio=0.5))

    end = sent.run()

    assert isinstance(end, Stopped)
    assert end.code == code
    assert set(sent.destination.sent) == {tuple(numbered(10))}
    assert sent.buckets == {outcome: 80}, "the window has a receipt, and no further window was intended"
    assert sent.journal.receipts[1].requests == 0


def test_batches_in_flight_beside_one_that_ends_the_run_keep_their_outcomes() -> None:
    sent = Sent(
        lambda batch: STOP if "0" in batch.ids else AllDelivered(),
        rules=WindowRules(batches=8, concurrency=4, stop_ratio=1),
    )

    assert sent.run() == Stopped("401", "who?")
    assert sent.destination.held.keys() == set(map(str, range(10, 40)))
    assert sent.buckets == {"delivered": 30, "failed": 50}


def test_too_many_rejected_records_end_the_run_after_their_window() -> None:
    sent = Sent(lambda batch: Outcomes(tuple(Rejected(i, "bad", "") for i in batch.ids)), count=1_000)

    end = sent.run()

    assert isinstance(end, Stopped)
    assert end.code == "too_many_rejected"
    assert sent.buckets == {"rejected": 120}


@pytest.mark.parametrize(("rejected", "ends"), [(103, False), (104, True)])
def test_the_share_of_rejected_records_is_that_of_all_that_were_sent_until_then(rejected: int, ends: bool) -> None:
    """Of 180 records sent, 0.575 are 103.5: one record decides."""
    bad = set(map(str, range(180 - rejected, 180)))
    sent = Sent(
        lambda batch: Outcomes(tuple(Rejected(i, "bad", "") if i in bad else Delivered(i) for i in batch.ids)),
        count=210,
        rules=WindowRules(batches=3, concurrency=2, stop_ratio=0.575),
    )

    assert isinstance(sent.run(), Stopped) == ends
    assert sent.buckets["delivered"] == (180 if ends else 210) - rejected


def test_a_few_rejected_records_never_end_a_run() -> None:
    sent = Sent(lambda batch: Outcomes(tuple(Rejected(i, "bad", "") for i in batch.ids)), count=99)

    assert sent.run() == Completed()
    assert sent.buckets == {"rejected": 99}
