"""The order of a project's classifications, and what silence means in it."""

from __future__ import annotations

from engine.core.classification import USUAL, classifications


def test_in_the_usual_order_silence_is_internal_and_people_see_up_to_it() -> None:
    assert USUAL.unclassified.word == USUAL.silent_clearance.word == "internal"
    assert [each.word for each in USUAL.order if each.is_shown] == ["public", "internal"]
    assert [each.rank for each in USUAL.order] == [0, 1, 2, 3]


def test_in_an_order_of_other_words_silence_falls_to_the_safe_side() -> None:
    order = classifications(["open", "closed", "secret"])

    assert order.unclassified.word == "secret"
    assert order.silent_clearance.word == "open"
    assert [each.word for each in order.order if each.is_shown] == ["open"]


def test_what_is_said_replaces_what_silence_means() -> None:
    order = classifications(["open", "closed", "secret"], unclassified="closed", show_up_to="closed")

    assert order.unclassified.word == "closed"
    assert [each.word for each in order.order if each.is_shown] == ["open", "closed"]


def test_a_hash_counts_as_the_lower_class_that_is_declared_and_never_as_a_higher_one() -> None:
    order = classifications(["open", "closed", "secret"], hashed={"secret": "closed", "open": "secret"})
    open_, closed, secret = order.order

    assert order.when_hashed(secret) == closed
    assert order.when_hashed(closed) == closed
    assert order.when_hashed(open_) == open_


def test_a_word_that_the_project_does_not_have_stands_for_nothing() -> None:
    assert USUAL.of("secret") is None
    assert USUAL.of("public") == USUAL.order[0]
