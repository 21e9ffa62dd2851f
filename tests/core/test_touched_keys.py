"""Where a record's id is its row's primary key, what a plan looks at is told without a search in the version."""

from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from engine.core.desired import Mapping, MatchKey, Mode
from engine.core.preparation import Normalisation, Preparation
from engine.core.state import FACTS
from engine.core.touched import ids_are_keys, touched_keys
from engine.segments.compute import Session


@pytest.mark.parametrize(
    ("match", "key", "alike"),
    [
        ((MatchKey("external_id", "id"),), ("id",), True),
        ((MatchKey("shop", "shop"), MatchKey("number", "id")), ("shop", "id"), True),
        ((MatchKey("number", "id"), MatchKey("shop", "shop")), ("shop", "id"), False),
        ((MatchKey("number", "id"),), ("shop", "id"), False),
        ((MatchKey("email", "email"),), ("id",), False),
        ((MatchKey("email", "email", prepare=Preparation(Normalisation.EMAIL)),), ("email",), False),
    ],
)
def test_only_the_whole_key_as_it_is_names_a_record_as_its_row(
    match: tuple[MatchKey, ...], key: tuple[str, ...], alike: bool
) -> None:
    assert ids_are_keys(Mapping("people", Mode.MIRROR, match, ()), key) is alike


@pytest.mark.parametrize(
    ("record", "touched"),
    [
        ({"id": "5", "pk": "5"}, set()),
        ({"id": "5", "pk": "5", "owed": True}, {"5"}),
        ({"id": "5", "pk": "5", "unknown": True}, {"5"}),
        # An earlier mapping named the record of row 7 by something else, which is a row's key today.
        ({"id": "1", "pk": "7"}, {"7"}),
        ({"id": "ada@x.example", "pk": "1"}, {"ada@x.example"}),
    ],
)
def test_besides_what_changed_only_what_is_unsettled_or_was_named_otherwise_is_touched(
    session: Session, record: dict[str, object], touched: set[str]
) -> None:
    row = {"acked": True, "unknown": False, "owed": False, "gone": False, **record}
    held = session.rows(pa.Table.from_pylist([row], schema=ibis.schema(FACTS).to_pyarrow()))
    changed = session.rows(pa.table({"pk": ["1"]}))

    assert {row["id"] for row in session.fetch(touched_keys(changed, held))} == {"1"} | touched
