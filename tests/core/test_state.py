"""Delivered state: what a record is after its row of a plan was sent, and after a person decided about it."""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
import pytest

from engine.core.desired import FIELD
from engine.core.state import (
    BEFORE,
    DROPPED,
    FACTS,
    RESENT,
    doubted,
    dropped,
    folded,
    is_exhausted,
    is_in_doubt,
    live,
    newest,
    payload_digest,
    released,
)
from engine.segments.compute import ORDINAL, Session

NAME, WAS_NAME = FIELD + "name", BEFORE + "name"
PLAN = pa.schema(
    {
        ORDINAL: pa.int64(),
        **dict.fromkeys(("op", "id", "pk", "key", "subject", "basis", NAME, WAS_NAME, "was_tried"), pa.string()),
        **dict.fromkeys(("was_acked", "was_unknown", "was_erase", "was_inert"), pa.bool_()),
        "was_attempts": pa.int64(),
    }
)
EXCEPTIONS = pa.schema({"ordinal": pa.int64(), "outcome": pa.string(), "uncertain": pa.bool_()})
ROW: dict[str, Any] = {
    "op": "upsert",
    **dict.fromkeys(("id", "pk", "key", "subject", "basis"), "1"),
    NAME: '"new"',
    WAS_NAME: '"old"',
    "was_acked": True,
    "was_unknown": False,
    "was_erase": False,
    "was_inert": False,
    "was_attempts": 0,
}
NEW: dict[str, Any] = {"was_acked": False, WAS_NAME: None}
STATE: dict[str, Any] = {
    **dict.fromkeys(("id", "pk", "key", "subject", "basis", "tried"), "1"),
    **dict.fromkeys(("acked", "unknown", "owed", "gone", "erase", "inert"), False),
    "attempts": 0,
}


def after(session: Session, row: dict[str, Any], outcome: str | None, *, uncertain: bool = False) -> dict[str, Any]:
    """The one state row after a plan of one row that ended so; None is delivered."""
    plan = session.rows(pa.Table.from_pylist([{**ROW, **row, ORDINAL: 0}], schema=PLAN))
    found = [] if outcome is None else [{"ordinal": 0, "outcome": outcome, "uncertain": uncertain}]
    exceptions = session.rows(pa.Table.from_pylist(found, schema=EXCEPTIONS))
    return dict(session.single(folded(plan, exceptions, ORDINAL)))


def digest(session: Session, name: str) -> str:
    fields = session.rows(pa.table({NAME: [name]}))
    return str(session.single(fields.select(digest=payload_digest(fields, [NAME])))["digest"])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (NEW, {"acked": True, "gone": False, "inert": False, NAME: '"new"'}),
        ({NAME: None}, {"acked": True, NAME: '"old"'}),
        ({"op": "delete"}, {"acked": False, "gone": True}),
        ({"op": "unsubscribe"}, {"acked": True, "gone": False, "inert": True}),
        ({"was_inert": True, "was_unknown": True, "was_attempts": 3}, {"acked": True, "inert": False}),
    ],
    ids=["new", "a field that is silent", "deleted", "unsubscribed", "written again"],
)
def test_what_was_delivered_is_held_and_settled(
    session: Session, row: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = after(session, row, None)

    assert found == found | expected | {"unknown": False, "owed": False, "attempts": 0}


@pytest.mark.parametrize("outcome", ["rejected", "failed", "unknown", "withheld"])
@pytest.mark.parametrize("op", ["upsert", "delete", "unsubscribe"])
def test_of_what_was_not_delivered_everything_stays_as_it_was_and_is_owed(
    session: Session, op: str, outcome: str
) -> None:
    found = after(session, {"op": op, "was_inert": True}, outcome)

    kept = {"acked": True, "unknown": outcome == "unknown", "inert": True, "gone": False, NAME: '"old"'}
    assert found == found | kept | {"owed": True}


@pytest.mark.parametrize(
    ("outcome", "before", "expected"),
    [
        ("rejected", 3, 1),
        ("failed", 3, 3),
        ("failed", RESENT, RESENT),
        ("unknown", 3, 3),
        ("unknown", RESENT, 0),
        ("unknown", DROPPED, 0),
    ],
)
def test_attempts_are_rejections_in_a_row_and_a_persons_word_is_about_the_doubt_before(
    session: Session, outcome: str, before: int, expected: int
) -> None:
    assert after(session, {"was_attempts": before, "was_tried": "other"}, outcome)["attempts"] == expected


def test_what_was_rejected_is_remembered_by_its_payload(session: Session) -> None:
    tried = digest(session, '"new"')

    assert tried != digest(session, '"old"')
    assert after(session, {"was_tried": "other"}, "rejected")["tried"] == tried
    assert after(session, {"was_tried": "other"}, "failed")["tried"] == "other"
    assert after(session, {"was_tried": tried, "was_attempts": 2}, "rejected")["attempts"] == 3


def test_an_earlier_send_that_may_have_taken_effect_leaves_a_doubt(session: Session) -> None:
    assert after(session, {}, "failed", uncertain=True)["unknown"]
    assert after(session, {"was_unknown": True}, "failed")["unknown"]
    assert not after(session, {}, "failed")["unknown"]


@pytest.mark.parametrize(
    ("row", "uncertain", "is_gone"),
    [(NEW, False, True), (NEW, True, False), ({**NEW, "was_unknown": True}, False, False), ({}, False, False)],
)
def test_who_took_consent_back_before_anything_was_sent_leaves_nothing_behind(
    session: Session, row: dict[str, Any], uncertain: bool, is_gone: bool
) -> None:
    found = after(session, row, "withheld", uncertain=uncertain)

    assert (found["gone"], found["owed"]) == (is_gone, not is_gone)


def test_a_plan_from_before_a_fact_was_kept_says_nothing_of_it(session: Session) -> None:
    kept = [name for name in PLAN.names if name not in {"was_erase", "was_inert", "basis"}]
    plan = session.rows(pa.Table.from_pylist([{**ROW, ORDINAL: 0}], schema=PLAN).select(kept))
    exceptions = session.rows(pa.Table.from_pylist([], schema=EXCEPTIONS))

    found = session.single(folded(plan, exceptions, ORDINAL))

    assert (found["erase"], found["inert"], found["basis"]) == (False, False, None)


def layer(session: Session, *rows: dict[str, Any], fields: tuple[str, ...] = (NAME,)) -> ibis.Table:
    schema = ibis.schema({**FACTS, **dict.fromkeys(fields, "string")}).to_pyarrow()
    return session.rows(pa.Table.from_pylist([{**STATE, **row} for row in rows], schema=schema))


def test_the_newest_row_of_a_record_counts_and_a_tombstone_hides_older_ones(session: Session) -> None:
    oldest = layer(session, *({"id": id, NAME: "1"} for id in ("a", "b", "c")))
    middle = layer(session, {"id": "b", NAME: "2"}, {"id": "c", "gone": True})
    latest = layer(session, {"id": "d", FIELD + "mail": "3"}, fields=(FIELD + "mail",))
    layers = [oldest, middle, latest]

    found = {row["id"]: (row[NAME], row[FIELD + "mail"]) for row in session.fetch(live(layers))}

    assert found == {"a": ("1", None), "b": ("2", None), "d": (None, "3")}
    assert {row["id"]: row["gone"] for row in session.fetch(newest(layers))} == {
        "a": False,
        "b": False,
        "c": True,
        "d": False,
    }


def test_rows_from_before_a_fact_was_kept_read_as_without_it(session: Session) -> None:
    old = layer(session, {"id": "a"}).drop("inert", "erase", "basis").mutate(receipt=ibis.literal("r"))

    (found,) = session.fetch(newest([old]))

    assert (found["inert"], found["erase"], found["basis"]) == (False, None, '[{"receipt":"r"}]')


@pytest.mark.parametrize(
    ("flags", "unknown", "owed"),
    [
        ({"acked": True}, True, True),
        ({"unknown": True}, True, True),
        ({"owed": True}, False, True),
        ({}, False, False),
    ],
)
def test_of_what_a_destination_may_have_lost_only_what_it_may_hold_is_in_doubt(
    session: Session, flags: dict[str, bool], unknown: bool, owed: bool
) -> None:
    found = session.single(doubted(layer(session, flags)))

    assert (found["unknown"], found["owed"]) == (unknown, owed)


@pytest.mark.parametrize(
    ("attempts", "exhausted", "in_doubt"),
    [(2, False, True), (3, True, True), (4, True, True), (DROPPED, True, False), (RESENT, False, False)],
)
def test_a_payload_is_given_up_after_its_attempts_or_by_a_person(
    session: Session, attempts: int, exhausted: bool, in_doubt: bool
) -> None:
    rows = layer(session, {"attempts": attempts, "unknown": True}, {"attempts": attempts})
    judged = rows.select(given_up=is_exhausted(rows.attempts, 3), doubt=is_in_doubt(rows.unknown, rows.attempts))

    assert {row["given_up"] for row in session.fetch(judged)} == {exhausted}
    assert sorted(row["doubt"] for row in session.fetch(judged)) == sorted([in_doubt, False])


@pytest.mark.parametrize(("unknown", "attempts"), [(True, RESENT), (False, 0)])
def test_what_is_released_is_looked_at_again_as_if_it_had_never_been_tried(
    session: Session, unknown: bool, attempts: int
) -> None:
    found = session.single(released(layer(session, {"unknown": unknown, "attempts": 5})))

    assert (found["attempts"], found["tried"], found["owed"]) == (attempts, None, True)


@pytest.mark.parametrize(("attempts", "tried"), [(1, "1"), (0, "digest"), (RESENT, "digest")])
def test_what_is_dropped_is_the_payload_that_was_rejected_or_would_be_sent(
    session: Session, attempts: int, tried: str
) -> None:
    payloads = session.rows(pa.table({"id": ["1"], "digest": ["digest"]}))

    found = session.single(dropped(layer(session, {"attempts": attempts, "owed": True}), payloads))

    assert (found["attempts"], found["tried"], found["owed"]) == (DROPPED, tried, False)


def test_what_is_dropped_without_a_payload_keeps_what_was_tried(session: Session) -> None:
    payloads = session.rows(pa.table({"id": ["other"], "digest": ["digest"]}))

    assert session.single(dropped(layer(session, {}), payloads))["tried"] == "1"
