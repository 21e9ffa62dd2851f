"""Which records a plan looks at when only some rows changed."""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
import pytest

from engine.core.touched import moving, touched_ids
from engine.segments.compute import Session

HELD = pa.schema({"id": pa.string(), "pk": pa.string(), "owed": pa.bool_(), "unknown": pa.bool_()})


def held(session: Session, **flags: Any) -> ibis.Table:
    row = {"id": "i", "pk": "p", "owed": False, "unknown": False, **flags}
    return session.rows(pa.Table.from_pylist([row], schema=HELD))


def texts(session: Session, **columns: list[str | None]) -> ibis.Table:
    return session.rows(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))


@pytest.mark.parametrize(
    ("changed", "flags", "now", "moves"),
    [
        ([], {}, ("i", "p"), set()),
        (["q"], {}, ("i", "p"), {"q"}),
        ([], {"owed": True}, ("i", "p"), {"p"}),
        ([], {"unknown": True}, ("i", "p"), {"p"}),
        ([], {}, ("other", "p"), {"p"}),
        ([], {}, ("i", "other"), {"p"}),
    ],
    ids=["settled", "changed", "owed", "in doubt", "its row has another id", "its id has another row"],
)
def test_a_row_is_in_motion_if_it_changed_or_its_record_is_not_settled(
    session: Session, changed: list[str | None], flags: dict[str, bool], now: tuple[str, str], moves: set[str]
) -> None:
    identities = texts(session, id=[now[0]], pk=[now[1]])

    found = session.fetch(moving(texts(session, pk=changed), identities, held(session, **flags)))

    assert {row["pk"] for row in found} == moves


def test_looked_at_is_every_id_that_a_row_in_motion_has_or_had(session: Session) -> None:
    identities = texts(session, id=["new", "elsewhere", None], pk=["p", "q", "p"])

    found = session.fetch(touched_ids(texts(session, pk=["p"]), identities, held(session)))

    assert sorted(row["id"] for row in found) == ["i", "new"]
