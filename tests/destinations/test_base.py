"""What an adapter receives: a batch whose records hold exactly what the plan holds."""

from __future__ import annotations

from decimal import Decimal

from destinations.base import Op
from tests.destinations.batches import batch


def test_a_batch_gives_its_records_with_every_digit() -> None:
    values = {
        "price": Decimal("12345678901234567890.123456789012345678"),
        "rate": Decimal("1.10"),
        "small": Decimal("1E-30"),
        "most": 2**63 - 1,
        "least": -(2**63),
        "above": 2**64,
        "is_new": True,
        "gone": None,
        "name": 'Zoë "Q" \u2028 \x01 语 😀',
        "nested": {"list": [1, {"deep": None}]},
    }
    (record,) = batch(Op.UPSERT, {'4"2': values}).records

    assert (record.id, record.key, record.changed) == ('4"2', {"id": '4"2'}, frozenset(values))
    assert record.fields == values
    assert {name: str(record.fields[name]) for name in ("price", "rate", "small")} == {
        "price": "12345678901234567890.123456789012345678",
        "rate": "1.10",
        "small": "1E-30",
    }


def test_a_deleted_record_has_a_key_and_no_fields() -> None:
    gone = batch(Op.DELETE, {7: {}, 8: {}})

    assert (len(gone), gone.ids) == (2, ("7", "8"))
    assert [(r.id, r.key, r.fields, r.changed) for r in gone.records] == [
        ("7", {"id": 7}, {}, frozenset()),
        ("8", {"id": 8}, {}, frozenset()),
    ]
