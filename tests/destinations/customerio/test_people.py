"""What deliveries leave in Customer.io, and what is said of those records that it does not take."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from destinations.base import Op
from destinations.testing.customerio import CustomerIoFake
from tests.destinations.batches import batch
from tests.destinations.customerio.workspace import adapter, delivered, workspace
from tests.destinations.rehearsed import said

ADA, BO, CY = "c-1", "c-2", "c-3"
OTHERS = {f"p-{n}": {"plan": f"P{n}"} for n in range(60)}
LONG = "`plan` is longer than the 1,000 bytes that Customer.io keeps: shorten it at the source"
TRUTH = "`unsubscribed` is neither true nor false: map a boolean column, and write `on_null: skip` where it is null"
TAKEN = "is no value that Customer.io takes: correct it at the source, or map a column of the type that it wants"
MOMENT = "`seen` is no date, timestamp or whole number of seconds: map a column that is one"


@pytest.fixture
def api(tmp_path: Path) -> CustomerIoFake:
    return workspace(tmp_path)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"plan": "x" * 1_001}, "too_long", LONG),
        ({"plan": "é" * 501}, "too_long", LONG),
        ({"unsubscribed": "yes"}, "invalid", TRUTH),
        ({"unsubscribed": 1}, "invalid", TRUTH),
        ({"unsubscribed": None}, "invalid", TRUTH),
        ({"created_at": "a-value-of-somebody"}, "invalid", f"`created_at` {TAKEN}"),
        ({"email": "a-value-of-somebody"}, "invalid", f"`email` {TAKEN}"),
        ({"seen": "soon"}, "invalid", MOMENT),
        ({"seen": Decimal("1.5")}, "invalid", MOMENT),
        ({"seen": True}, "invalid", MOMENT),
        (
            {f"a{n}": "x" * 1_000 for n in range(32)},
            "too_large",
            "the record is larger than the 32,000 bytes that Customer.io takes: map fewer or shorter fields",
        ),
    ],
)
def test_one_bad_value_is_told_by_its_field_and_stops_no_other_record(
    api: CustomerIoFake, fields: dict[str, Any], code: str, words: str
) -> None:
    ended = delivered(api, Op.UPSERT, {**OTHERS, ADA: fields}, moments=["seen"])

    assert api.held() == OTHERS
    assert said(ended) == {ADA: ("rejected", code, words)}
    assert api.complaints == []


def test_a_value_at_its_limit_arrives(api: CustomerIoFake) -> None:
    ended = delivered(api, Op.UPSERT, {"i" * 150: {"plan": "é" * 500}})

    assert ended.others == {}
    assert api.held() == {"i" * 150: {"plan": "é" * 500}}


def test_an_id_that_is_empty_or_too_long_is_told_and_not_sent(api: CustomerIoFake) -> None:
    ended = delivered(api, Op.UPSERT, {"": {"plan": "a"}, "é" * 76: {"plan": "b"}, ADA: {"plan": "c"}})

    assert api.held() == {ADA: {"plan": "c"}}
    assert {code for _, code, _ in said(ended).values()} == {"required", "too_long"}


def test_a_record_that_is_sorted_out_does_not_move_the_blame_to_another(api: CustomerIoFake) -> None:
    """An index is the place among those that were sent."""
    records = {ADA: {"plan": "x" * 1_001}, BO: {"plan": "pro"}, CY: {"email": "none"}}

    ended = delivered(api, Op.UPSERT, records)

    assert api.held() == {BO: {"plan": "pro"}}
    assert {id: code for id, (_, code, _) in said(ended).items()} == {ADA: "too_long", CY: "invalid"}


def test_a_batch_of_which_nothing_may_be_sent_takes_no_call(api: CustomerIoFake) -> None:
    delivered(api, Op.UPSERT, {ADA: {"plan": "x" * 1_001}})

    assert api.requests == []


@pytest.mark.parametrize(("clears_with", "sent"), [("empty", ""), ("null", None)])
def test_null_removes_an_attribute_and_what_is_not_sent_stays(
    api: CustomerIoFake, clears_with: str, sent: str | None
) -> None:
    api.put(ADA, {"plan": "pro", "city": "Graz"})

    delivered(api, Op.UPSERT, {ADA: {"plan": None}}, clears_with=clears_with)

    assert api.held() == {ADA: {"city": "Graz"}}
    (item,) = json.loads(api.sent[0].content)["batch"]
    assert item["attributes"] == {"plan": sent}


def test_moments_leave_as_unix_seconds_and_other_texts_as_they_are(api: CustomerIoFake) -> None:
    moments = {"seen": "2026-02-25T09:59:58.000000Z", "born": "1969-12-31", "since": 1772013598, "left": None}

    ended = delivered(api, Op.UPSERT, {ADA: {**moments, "text": "2026-01-31"}}, moments=list(moments))

    assert ended.others == {}
    assert api.held() == {ADA: {"seen": 1772013598, "born": -86400, "since": 1772013598, "text": "2026-01-31"}}


def test_numbers_leave_with_all_their_digits() -> None:
    records = {ADA: {"revenue": Decimal("1234567890123456.78"), "seats": 2**70}}

    content = adapter().encode(batch(Op.UPSERT, records)).content

    assert b'"revenue":1234567890123456.78' in content
    assert b'"seats":1180591620717411303424' in content


@pytest.mark.parametrize("name", ["id", "email", "phone", "cio_id"])
def test_each_identifier_names_a_person_by_itself_and_as_text(name: str) -> None:
    request = adapter().encode(batch(Op.UPDATE, {12: {"plan": "pro"}}, key=name))

    (item,) = json.loads(request.content)["batch"]
    attributes = {"_update": True, "plan": "pro"}
    assert item == {"type": "person", "identifiers": {name: "12"}, "action": "identify", "attributes": attributes}


def test_an_update_makes_nobody(api: CustomerIoFake) -> None:
    api.put(ADA, {"plan": "free"})

    delivered(api, Op.UPDATE, {ADA: {"plan": "pro"}, BO: {"plan": "pro"}})

    assert api.held() == {ADA: {"plan": "pro"}}


def test_an_unsubscribe_makes_nobody_and_outlives_later_writes(api: CustomerIoFake) -> None:
    api.put(ADA, {"plan": "free"})

    delivered(api, Op.UNSUBSCRIBE, {ADA: {}, BO: {}})
    delivered(api, Op.UPSERT, {ADA: {"plan": "pro"}})

    assert api.held() == {ADA: {"plan": "pro", "unsubscribed": True}}


def test_a_delete_takes_who_is_there_and_lets_them_come_back(api: CustomerIoFake) -> None:
    api.put(ADA, {})
    api.put(CY, {})

    ended = delivered(api, Op.DELETE, {ADA: {}, BO: {}})
    assert (ended.delivered, set(api.held())) == ({ADA, BO}, {CY})

    delivered(api, Op.UPSERT, {ADA: {"plan": "pro"}})
    assert set(api.held()) == {ADA, CY}


def test_a_suppression_blocks_the_identifier_for_later_writes(api: CustomerIoFake) -> None:
    """Customer.io takes the write, drops it, and says nothing, so that it counts as delivered."""
    api.put(ADA, {})

    delivered(api, Op.DELETE, {ADA: {}}, deletes="suppress")
    ended = delivered(api, Op.UPSERT, {ADA: {"plan": "pro"}}, deletes="suppress")

    assert api.suppressed == {ADA}
    assert api.held() == {}
    assert ended.delivered == {ADA}
