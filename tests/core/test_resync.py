"""Send again: what a record of the delivered state becomes, and what was sent once and is not in it."""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
import pytest

from engine.core.resync import not_given_up, orphans, sent_again
from engine.core.state import DROPPED, FACTS, RESENT
from engine.segments.compute import Session

SCHEMA = ibis.schema(FACTS).to_pyarrow()
ROW: dict[str, Any] = {
    "id": "1",
    **dict.fromkeys(("acked", "unknown", "owed", "gone", "erase", "inert"), False),
    "attempts": 0,
}
AGAIN: dict[str, Any] = {"unknown": True, "owed": True, "attempts": RESENT}
NEVER_HELD: dict[str, Any] = {"owed": True}


def rows(session: Session, *given: dict[str, Any]) -> ibis.Table:
    return session.rows(pa.Table.from_pylist([{**ROW, **row} for row in given], schema=SCHEMA))


@pytest.mark.parametrize(
    ("row", "becomes"),
    [
        ({"acked": True}, AGAIN),
        ({"unknown": True}, AGAIN),
        ({"acked": True, "tried": "t", "attempts": 5}, AGAIN),
        ({"tried": "t", "attempts": 5}, NEVER_HELD),
        ({}, NEVER_HELD),
        ({**AGAIN, "owed": False}, AGAIN),
        ({**AGAIN, "attempts": 0}, AGAIN),
        ({**AGAIN, "acked": True, "unknown": False}, AGAIN),
        ({**AGAIN, "tried": "t"}, AGAIN),
    ],
)
def test_whatever_a_record_was_the_next_plan_sends_it_without_asking(
    session: Session, row: dict[str, Any], becomes: dict[str, Any]
) -> None:
    found = session.single(sent_again(rows(session, row)))

    assert found == {**dict.fromkeys(FACTS), **ROW, **row, "tried": None, "attempts": 0, **becomes}


@pytest.mark.parametrize("row", [AGAIN, {**AGAIN, "acked": True}, NEVER_HELD])
def test_a_record_that_is_sent_again_anyway_is_left_out(session: Session, row: dict[str, Any]) -> None:
    assert session.fetch(sent_again(rows(session, row))) == []


def test_what_a_person_gave_up_is_told_from_what_was_rejected(session: Session) -> None:
    kept = session.fetch(not_given_up(rows(session, *({"attempts": n} for n in (DROPPED, RESENT, 0, 9)))))

    assert sorted(row["attempts"] for row in kept) == [RESENT, 0, 9]


def test_a_record_that_was_sent_once_and_is_not_known_may_be_held_and_is_looked_at(session: Session) -> None:
    sent = pa.table({name: ["1"] for name in ("id", "pk", "key", "subject", "basis")})

    found = session.single(orphans(session.rows(sent)))

    texts = dict.fromkeys(("id", "pk", "key", "subject", "basis"), "1")
    assert found == {**ROW, **texts, **AGAIN, "tried": None}
