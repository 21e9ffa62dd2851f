"""Calls at once that runs share: never more together than are declared, and nobody who wants one goes without for ever.

Holders ask, are answered later, start and end calls, die and are left in a random order, on a clock that may be set back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.shares import HOLD_SECONDS, TURN_SECONDS, Ask, Share, answer


@dataclass
class Holder:
    """A run as its process knows it: ``asked`` is what it told, and ``limit`` what it may have under way."""

    name: str
    in_flight: int = 0
    limit: int = 0
    limit_ends: float = 0.0
    asked: tuple[Ask, float] | None = None
    answered: int | None = None


@dataclass
class World:
    slots: int
    holders: list[Holder]
    shares: tuple[Share, ...] = ()
    now: float = 1_000.0
    monotonic: float = 0.0
    most: int = 0
    started: dict[str, int] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        return sum(holder.in_flight for holder in self.holders)

    def tell(self, holder: Holder, wanted: int) -> None:
        if holder.asked is None:
            holder.asked = (Ask(holder.name, max(wanted, holder.in_flight), holder.in_flight), self.monotonic)
            holder.limit = holder.in_flight

    def decide(self, holder: Holder) -> None:
        if holder.asked is not None and holder.answered is None:
            found = answer(self.shares, holder.asked[0], self.slots, self.now)
            self.shares, holder.answered = found.shares, found.limit

    def learn(self, holder: Holder) -> None:
        if holder.asked is not None and holder.answered is not None:
            holder.limit, holder.limit_ends = holder.answered, holder.asked[1] + HOLD_SECONDS
            holder.asked, holder.answered = None, None

    def ask(self, holder: Holder, wanted: int) -> None:
        for _ in range(2):  # What is under way may be answered and told again.
            self.tell(holder, wanted)
            self.decide(holder)
            self.learn(holder)

    def start(self, holder: Holder) -> None:
        if holder.in_flight < holder.limit and self.monotonic < holder.limit_ends:
            holder.in_flight += 1
            self.started[holder.name] = self.started.get(holder.name, 0) + 1
            self.most = max(self.most, self.in_flight)

    def end(self, holder: Holder) -> None:
        holder.in_flight -= holder.in_flight > 0

    def die(self, holder: Holder) -> None:
        """Another takes its place, and nobody tells the ledger."""
        at = self.holders.index(holder)
        self.holders[at] = Holder(f"{holder.name}'")

    def close(self, holder: Holder) -> None:
        if holder.asked is None:
            holder.in_flight = holder.limit = 0
            self.shares = tuple(share for share in self.shares if share.holder != holder.name)

    def wait(self, seconds: float) -> None:
        """Whoever has calls under way asks before its share ends, as the process does in the background."""
        self.now += seconds
        self.monotonic += max(0.0, seconds)
        for holder in self.holders:
            expires = next((share.expires_at for share in self.shares if share.holder == holder.name), 0.0)
            if holder.in_flight and expires <= self.now + HOLD_SECONDS / 2:
                self.ask(holder, 3)


ACTS = ("tell", "decide", "learn", "ask", "start", "end", "die", "close", "wait", "set back")
act = st.tuples(st.sampled_from(ACTS + ("start", "ask") * 3), st.integers(0, 3), st.integers(0, 6))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), st.lists(act, max_size=80))
def test_no_order_of_events_lets_more_calls_be_under_way_than_are_declared(
    slots: int, acts: list[tuple[str, int, int]]
) -> None:
    world = World(slots, [Holder(name) for name in "abcd"])

    for what, who, amount in acts:
        holder = world.holders[who]
        if what in ("tell", "ask"):
            getattr(world, what)(holder, amount)
        elif what in ("wait", "set back"):
            world.wait(amount / 2 if what == "wait" else -100.0 * amount)
        else:
            getattr(world, what)(holder)
        assert world.in_flight <= slots
        assert sum(share.granted for share in world.shares if share.expires_at > world.now) <= slots


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1).map(Random))
def test_whoever_wants_a_call_gets_one_and_what_nobody_else_wants_is_used(slots: int, count: int, dice: Random) -> None:
    world = World(slots, [Holder(str(number)) for number in range(count)])

    for _ in range(round(2 * (count + 1) * TURN_SECONDS)):  # half seconds
        world.wait(0.5)
        for holder in dice.sample(world.holders, count):
            while dice.random() < 0.8 and holder.in_flight:
                world.end(holder)
            world.ask(holder, slots)
            for _ in range(slots):
                world.start(holder)

    assert len(world.started) == count, "each has started a call"
    assert world.most == slots


def test_a_lone_holder_has_all_and_a_second_one_gets_half_once_calls_end() -> None:
    first, second = (Ask(name, 4, 0) for name in "ab")
    alone = answer((), first, 4, 0.0)
    assert alone.limit == 4

    waiting = answer(alone.shares, second, 4, 1.0)
    cut = answer(waiting.shares, replace(first, in_flight=4), 4, 1.5)
    ended = answer(cut.shares, replace(first, in_flight=2), 4, 2.0)
    let_in = answer(ended.shares, second, 4, 2.5)

    assert (waiting.limit, cut.limit, ended.limit, let_in.limit) == (0, 2, 2, 2)


def test_what_a_holder_that_is_silent_had_is_free_when_its_share_ends_and_not_before() -> None:
    held = answer((), Ask("a", 4, 4), 4, 0.0).shares

    assert answer(held, Ask("b", 4, 0), 4, HOLD_SECONDS - 0.1).limit == 0
    assert answer(held, Ask("b", 4, 0), 4, HOLD_SECONDS).limit == 4


def test_a_clock_that_is_set_back_keeps_a_share_no_longer_than_it_lasts() -> None:
    held = answer((), Ask("a", 4, 4), 4, 1_000_000.0).shares

    after = answer(held, Ask("b", 4, 0), 4, 0.0)

    assert after.limit == 0
    assert answer(after.shares, Ask("b", 4, 0), 4, HOLD_SECONDS).limit == 4
