"""A run that is asked to stop, dies or loses its store sends nothing more, and the next goes on from its intents (P4, S1)."""

from __future__ import annotations

import asyncio

import pytest

from destinations.base import AllDelivered, Batch, Reply, Stop, Unavailable
from engine.core.split import Cut, idempotency_key
from engine.delivery import executor
from engine.delivery.executor import Completed, Halted, Stopped
from engine.delivery.pacer import Unlimited
from engine.delivery.window import WindowRules
from tests.delivery.scripted import DIGEST, Sent

STOP = Stop("401", "who?")
AWAY = Unavailable("503", "away", applied_unknown=False)


def test_a_stop_between_windows_halts_before_the_next_intent() -> None:
    sent = Sent(lambda _: AllDelivered())
    sent.journal.on_receipt = lambda window: sent.stop.ask() if window == 1 else None

    assert sent.run() == Halted()
    assert [word for word, _, _ in sent.journal.story] == ["intent", "receipt"] * 2
    assert sent.buckets == {"delivered": 60}


def test_a_stop_within_a_window_lets_it_end_and_be_received() -> None:
    sent = Sent(lambda _: AllDelivered())
    whole = sent.destination._script
    sent.destination._script = lambda batch: (sent.stop.ask() if "10" in batch.ids else None, whole(batch))[1]

    assert sent.run() == Halted()
    assert sent.buckets == {"delivered": 30}


def test_a_second_stop_ends_the_window_in_flight_without_a_receipt() -> None:
    """Its intent stands alone, so the next process sends the window again under the same keys."""
    sent = Sent(lambda _: AllDelivered())
    cancelled: list[str] = []

    async def hanging(batch: Batch, transport: object) -> Reply:
        try:
            sent.stop.ask()
            await asyncio.Event().wait()
        finally:
            cancelled.append(batch.ids[0])
        return AllDelivered()

    sent.destination.send = hanging  # type: ignore[method-assign]

    assert sent.run() == Halted()
    assert sent.journal.story == [("intent", 0, 0)]
    assert sorted(cancelled) == ["0", "10"], "nothing goes on sending"


def test_a_window_is_sent_again_under_the_keys_of_its_intents_and_only_received() -> None:
    first, second = Sent(lambda _: AllDelivered(), count=30), Sent(lambda _: AllDelivered(), count=30)
    first.run(number=4)

    assert second.resume([4, 5, 6]) == Completed()
    assert second.destination.keys == first.destination.keys
    assert second.journal.receipts == first.journal.receipts
    assert [word for word, _, _ in second.journal.story] == ["receipt"]
    assert first.destination.keys[0] == idempotency_key("people", DIGEST, Cut(0, 9))


def test_a_resumed_window_leaves_nothing_certain_that_no_answer_settles() -> None:
    sent = Sent(lambda _: STOP, count=30)

    assert isinstance(sent.resume([0, 1, 2]), Stopped)
    assert all(e.uncertain for e in sent.journal.exceptions)
    assert len(sent.journal.exceptions) == 30


class Outage(Unlimited):
    """A budget whose store is gone."""

    def failed(self) -> None:
        raise OSError("the ledger is gone")


def test_when_our_own_store_fails_nothing_goes_on_sending() -> None:
    sent = Sent(lambda _: AWAY, rules=WindowRules(batches=6, concurrency=3, stop_ratio=1.0), budget=Outage())
    answering, begun, ended = sent.destination.send, list[str](), list[str]()

    async def slow(batch: Batch, transport: object) -> Reply:
        begun.append(batch.ids[0])
        try:
            if "0" not in batch.ids:
                await asyncio.Event().wait()
            return await answering(batch, transport)
        finally:
            ended.append(batch.ids[0])

    sent.destination.send = slow  # type: ignore[method-assign]

    with pytest.raises(OSError, match="gone"):
        sent.run(then=lambda: ended.append("the caller knows"))

    assert {"0", "10", "20"} <= set(begun), "others were under way"
    assert ended[-1] == "the caller knows"
    assert sorted(ended[:-1]) == sorted(begun)
    assert sent.journal.story == [("intent", 0, 0)]


@pytest.mark.parametrize("asked", [True, False])
def test_a_window_in_flight_has_some_time_once_a_stop_was_asked_for_and_all_time_before(
    monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setattr(executor, "GRACE_SECONDS", 0.02)
    monkeypatch.setattr(executor, "_POLL_SECONDS", 0.01)
    sent = Sent(lambda _: AllDelivered(), count=10)

    async def slow(batch: Batch, transport: object) -> Reply:
        if asked:
            sent.stop.ask()
        await asyncio.sleep(0.3)
        return AllDelivered()

    sent.destination.send = slow  # type: ignore[method-assign]

    assert sent.run() == (Halted() if asked else Completed())
    assert [word for word, _, _ in sent.journal.story] == (["intent"] if asked else ["intent", "receipt"])
