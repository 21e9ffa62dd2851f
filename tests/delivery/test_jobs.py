"""Jobs: asked about until they end or are given up, and never submitted twice on the way (D14, D15, I30)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    Ended,
    Failed,
    Outcomes,
    Progress,
    Refused,
    Rejected,
    Reply,
    Running,
    Stop,
    Submitted,
    Throttled,
    Transport,
    Unavailable,
)
from engine.core.events import BatchIntent
from engine.core.split import Cut
from engine.delivery.allowance import AllMayLeave
from engine.delivery.executor import Executor, Halted
from engine.delivery.jobs import JOB_DEADLINE, OpenJob
from engine.delivery.pacer import Unlimited
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.result import ADAPTER_ERROR
from tests.delivery.scripted import (
    DIGEST,
    RULES,
    Journal,
    Lowest,
    Middle,
    Scripted,
    numbered,
    ran,
    sender,
    whole,
)
from tests.delivery.taker import LOST, NOTHING_APPLIED, RULES_OF_JOBS, Kept, Taker, Told, never, progress


class Noting(SkippedClock):
    """Remembers each wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await super().sleep(seconds)


class Highest(Lowest):
    def uniform(self, low: float, high: float) -> float:
        return high


def waits(tells: Callable[[Batch, int], Progress], entropy: Lowest) -> list[float]:
    clock = Noting()
    assert Told(Taker(tells), clock=clock, entropy=entropy).outcomes == ["delivered"] * 4
    return clock.waits


def test_a_job_is_asked_about_until_it_ends_and_submitted_once() -> None:
    told = Told(Taker(progress(Running(), Running(), Ended(AllDelivered()))))

    assert told.outcomes == ["delivered"] * 4
    assert told.destination.sent == [tuple(numbered(4))]
    assert told.destination.asked == ["j1", "j1", "j1"]


def test_the_id_of_a_job_is_kept_before_it_is_asked_about() -> None:
    assert Told(Taker()).kept.story == [(Cut(0, 3), "j1", 0)]


def test_waits_between_questions_grow_to_a_limit_and_are_spread() -> None:
    running = progress(*[Running()] * 8, Ended(AllDelivered()))

    assert waits(running, Lowest()) == [0.5, 1, 2, 4, 8, 15, 15, 15]
    assert waits(running, Middle()) == [0.75, 1.5, 3, 6, 12, 22.5, 22.5, 22.5]
    assert waits(running, Highest()) == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(
    "step",
    [
        Running(timedelta(seconds=45)),
        Throttled(timedelta(seconds=45)),
        Unavailable("503", "away", applied_unknown=False, retry_after=timedelta(seconds=45)),
    ],
)
def test_a_job_is_asked_about_no_sooner_than_the_destination_wants(step: Progress) -> None:
    (first, second) = waits(progress(step, step, Ended(AllDelivered())), Lowest())

    assert min(first, second) >= 45


@pytest.mark.parametrize("step", [LOST, Throttled(), Unavailable("http_503", "away", applied_unknown=False)])
def test_a_question_that_goes_unanswered_never_submits_again(step: Progress) -> None:
    told = Told(Taker(progress(*[step] * 10, Ended(AllDelivered()))))

    assert told.outcomes == ["delivered"] * 4
    assert len(told.destination.sent) == 1
    assert told.destination.asked == ["j1"] * 11


def test_a_job_gives_each_record_an_outcome() -> None:
    """D15: whom the results do not name is unknown."""
    outcomes = Outcomes((Failed("2", "busy", "later"), Delivered("1"), Rejected("0", "bad", "no mail")))

    told = Told(Taker(progress(Running(), Ended(outcomes))))

    assert told.outcomes == ["rejected", "delivered", "failed", "unknown"]
    assert told.result.stop is told.result.unreachable is None


@pytest.mark.parametrize("outcomes", [[Delivered("9")], [*map(Delivered, "0123"), Failed("0", "a", "")]])
def test_results_that_cannot_be_of_the_batch_leave_it_unknown_and_submit_nothing(outcomes: Sequence[Any]) -> None:
    told = Told(Taker(progress(Ended(Outcomes(tuple(outcomes))))))

    assert told.outcomes == ["unknown"] * 4
    assert len(told.destination.sent) == 1


def test_a_job_that_is_refused_as_a_whole_is_halved_and_each_half_is_a_job_of_its_own() -> None:
    def tells(batch: Batch, asked: int) -> Progress:
        return Ended(Refused("bad", "a bad row") if "2" in batch.ids else AllDelivered())

    told = Told(Taker(tells))

    assert told.outcomes == ["delivered", "delivered", "rejected", "delivered"]
    assert [job for _, job, _ in told.kept.story] == ["j1", "j2", "j3", "j4", "j5"]
    assert [cut for cut, _, _ in told.kept.story] == [Cut(0, 3), Cut(0, 1), Cut(2, 3), Cut(2, 2), Cut(3, 3)]
    assert len(set(told.destination.keys)) == 5


def test_a_job_that_ended_with_nothing_applied_is_submitted_again_under_its_key() -> None:
    def tells(batch: Batch, asked: int) -> Progress:
        return NOTHING_APPLIED if len(destination.sent) == 1 else Ended(AllDelivered())

    destination = Taker(tells)
    told = Told(destination)

    assert told.outcomes == ["delivered"] * 4
    assert destination.asked == ["j1", "j2"]
    assert len(destination.keys) == 2
    assert len(set(destination.keys)) == 1


def test_a_job_past_its_deadline_is_given_up_with_its_id_and_ends_the_run() -> None:
    told = Told(Taker(never))

    assert told.outcomes == ["unknown"] * 4
    assert told.codes == {JOB_DEADLINE}
    assert told.messages == {"job j1 has not ended 600 s after it was submitted; what it did nobody knows"}
    assert told.result.unreachable is not None
    assert len(told.destination.sent) == 1
    assert told.clock.waited_seconds == 600


def test_a_job_may_be_asked_about_for_days() -> None:
    class Slow(Taker):
        spec = replace(Taker.spec, jobs=replace(RULES_OF_JOBS, deadline_seconds=3 * 86_400.0))

    told = Told(Slow(never))

    assert told.codes == {JOB_DEADLINE}
    assert len(told.destination.asked) > 3 * 86_400 / 30


def test_a_job_that_may_not_be_asked_about_before_its_deadline_is_given_up_at_once() -> None:
    told = Told(Taker(progress(Running(timedelta(hours=2)))))

    assert told.outcomes == ["unknown"] * 4
    assert told.destination.asked == ["j1"]
    assert told.clock.waited_seconds == 0
    assert "may not be asked about within its deadline of 600 s" in told.messages.pop()


def test_the_deadline_counts_the_age_of_a_job_that_an_earlier_process_left() -> None:
    told = Told(Taker(never), left=OpenJob("left-1", age_seconds=550.0), uncertain=True)

    assert told.codes == {JOB_DEADLINE}
    assert told.clock.waited_seconds == 50
    assert told.destination.sent == []


def test_a_job_that_was_left_longer_than_its_deadline_is_asked_about_once() -> None:
    ended = Told(Taker(), left=OpenJob("left-1", age_seconds=9_000.0), uncertain=True)
    running = Told(Taker(never), left=OpenJob("left-1", age_seconds=9_000.0), uncertain=True)

    assert ended.outcomes == ["delivered"] * 4
    assert running.outcomes == ["unknown"] * 4
    assert running.destination.asked == ["left-1"]
    assert "9,000 s" in running.messages.pop()


def raising(batch: Batch, asked: int) -> Progress:
    raise KeyError("marker@example.com")


@pytest.mark.parametrize(
    "tells",
    [
        pytest.param(raising, id="raises"),
        pytest.param(progress(None), id="returns nothing"),
        pytest.param(progress(AllDelivered()), id="returns a reply"),
        pytest.param(progress(Ended), id="returns a class"),
        pytest.param(progress(Ended(None)), id="ended with nothing"),  # type: ignore[arg-type]
        pytest.param(progress(Ended(Submitted("j9"))), id="ended with another job"),  # type: ignore[arg-type]
        pytest.param(progress(Ended(Outcomes(("0",)))), id="has outcomes of its own"),  # type: ignore[arg-type]
    ],
)
def test_an_adapter_that_asks_wrongly_loses_no_record_and_no_job(tells: Callable[[Batch, int], Progress]) -> None:
    told = Told(Taker(tells))

    assert told.outcomes == ["unknown"] * 4
    assert told.codes == {ADAPTER_ERROR}
    assert told.result.stop is not None
    assert "job j1" in told.result.stop.message
    assert "marker" not in repr(told.result)
    assert (len(told.destination.sent), len(told.destination.asked)) == (1, 1)


@pytest.mark.parametrize("job", [None, 7, "", "a b", "line\n", "x" * 201])
def test_a_job_without_an_id_that_can_be_kept_leaves_its_records_unknown(job: Any) -> None:
    told = Told(Taker(takes=lambda _: Submitted(job)))

    assert told.outcomes == ["unknown"] * 4
    assert told.codes == {ADAPTER_ERROR}
    assert (told.kept.story, told.destination.asked) == ([], [])


def test_a_destination_that_will_not_say_what_became_of_a_job_ends_the_run_and_leaves_it_unknown() -> None:
    told = Told(Taker(progress(Running(), Stop("http_404", "the address does not exist (404)"))))

    assert told.outcomes == ["unknown"] * 4
    assert told.result.stop is not None
    assert "job j1" in told.messages.pop()
    assert len(told.destination.sent) == 1


def test_an_adapter_that_submits_and_cannot_ask_leaves_its_records_unknown() -> None:
    told = Told(type("Mute", (Taker,), {"poll": Scripted.poll})())

    assert told.outcomes == ["unknown"] * 4
    assert told.codes == {"no_jobs"}


def test_a_destination_that_answers_a_question_counts_as_one_that_answers() -> None:
    """The circuit must not stay open for as long as a job runs."""

    class Heard(Unlimited):
        story: ClassVar[list[str]] = []

        def failed(self) -> None:
            self.story.append("failed")

        def answered(self) -> None:
            self.story.append("answered")

    def tells(batch: Batch, asked: int) -> Progress:
        Heard.story.append(f"asked {asked}")
        return (LOST, Running(), Ended(AllDelivered()))[asked - 1]

    Told(Taker(tells), budget=Heard())

    assert Heard.story == ["asked 1", "failed", "asked 2", "answered", "asked 3"]


# --- Processes that follow one another ---


def test_a_stop_while_a_job_runs_halts_and_the_next_process_asks_about_the_same_job() -> None:
    kept = Kept()
    journal, executor, destination = _executor(kept, lambda _: None)
    stop = _Stop()

    async def hanging(job: str, batch: Batch, transport: Transport) -> Progress:
        stop.asked = True
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    destination.poll = hanging  # type: ignore[method-assign]

    assert ran(executor.run(iter([whole(4)]), window=0, number=0, stop=stop)) == Halted()
    assert [word for word, _, _ in journal.story] == ["intent"]

    left = Kept(jobs={cut: OpenJob(job) for cut, job, _ in kept.story})
    journal, executor, destination = _executor(left, lambda _: None)
    ran(executor.resume(0, [whole(4)], [BatchIntent(0, "upsert", 0, 3, "")], _Stop()))

    assert destination.asked == ["j1"]
    assert destination.sent == []
    assert [receipt.inserts for receipt in journal.receipts] == [4]


def _executor(kept: Kept, takes: Callable[[Batch], Reply | None]) -> tuple[Journal, Executor, Taker]:
    destination = Taker(takes=takes)
    journal = Journal(destination)
    sending = sender(destination, SkippedClock(), jobs=kept)
    return journal, Executor(sending, journal, RULES, AllMayLeave(), sync="people", digest=DIGEST), destination


class _Stop:
    asked = False

    def is_set(self) -> bool:
        return self.asked

    def at_once(self) -> bool:
        return self.asked


def test_a_process_that_follows_a_halved_job_submits_only_the_half_that_has_none() -> None:
    def tells(batch: Batch, asked: int) -> Progress:
        return Ended(Refused("bad", "a bad row") if {"0", "3"} <= set(batch.ids) else AllDelivered())

    destination = Taker(tells)
    kept = Kept(destination, {Cut(0, 3): OpenJob("whole"), Cut(2, 3): OpenJob("right")})
    result = ran(sender(destination, SkippedClock(), jobs=kept).deliver(whole(4), 0, uncertain=True))

    assert result.exceptions == []
    assert destination.sent == [("0", "1")]
    assert Counter(destination.asked) == {"whole": 1, "j1": 1, "right": 1}
