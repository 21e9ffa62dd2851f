"""What deliveries leave in Braze, and what is said of those records that it does not take."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from destinations.base import Op
from destinations.testing.braze import GROUP, LABEL, Attribute, BrazeFake
from destinations.testing.fake import UNSUBSCRIBED
from tests.destinations.batches import batch
from tests.destinations.braze.workspace import adapter, delivered, workspace
from tests.destinations.rehearsed import said

STATES = (
    "`email_subscribe` is none of opted_in, subscribed, unsubscribed: correct it at the source, or write `on_null: skip`"
    " where it is null"
)
ADA, BO, CY = "c-1", "c-2", "c-3"
OTHERS = {f"p-{n}": {"nickname": f"P{n}"} for n in range(60)}


@pytest.fixture
def api(tmp_path: Path) -> BrazeFake:
    return workspace(tmp_path)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        (
            {"nickname": "x" * 256},
            "too_long",
            "`nickname` is longer than the 255 characters that Braze keeps: shorten it at the source",
        ),
        (
            {"email": "a-value-of-somebody"},
            "invalid",
            "`email` is no value that Braze takes: correct it at the source, or map a column of the attribute's type",
        ),
        (
            {"email_subscribe": "maybe"},
            "invalid_state",
            STATES,
        ),
    ],
    ids=["too long", "told by its index", "no state"],
)
def test_one_bad_value_is_told_by_its_field_and_stops_no_other_record(
    api: BrazeFake, fields: dict[str, str], code: str, words: str
) -> None:
    ended = delivered(api, Op.UPSERT, {**OTHERS, ADA: fields})

    assert set(api.held()) == set(OTHERS)
    assert said(ended) == {ADA: ("rejected", code, words)}


def test_a_record_that_is_sorted_out_does_not_move_the_blame_to_another(api: BrazeFake) -> None:
    """An index is the place among those that were sent."""
    records = {ADA: {"nickname": "x" * 300}, BO: {"nickname": "Bo"}, CY: {"email": "none"}}

    ended = delivered(api, Op.UPSERT, records)

    assert set(api.held()) == {BO}
    assert {id: code for id, (_, code, _) in said(ended).items()} == {ADA: "too_long", CY: "invalid"}


def test_a_batch_of_which_nothing_may_be_sent_takes_no_call(api: BrazeFake) -> None:
    ended = delivered(api, Op.UPSERT, {ADA: {"nickname": "x" * 300}})

    assert said(ended)[ADA][:2] == ("rejected", "too_long")
    assert api.requests == []


def test_a_call_of_which_everybody_is_wrong_tells_each_for_itself(api: BrazeFake) -> None:
    """Such a call is refused as a whole, and its errors name all of them."""
    ended = delivered(api, Op.UPSERT, {ADA: {"email": "none"}, BO: {"email": "neither"}})

    assert {id: code for id, (_, code, _) in said(ended).items()} == {ADA: "invalid", BO: "invalid"}
    assert len(api.requests) == 1


def test_an_empty_key_and_a_dummy_users_id_are_told_as_such(api: BrazeFake) -> None:
    api.blocked = {BO}

    ended = delivered(api, Op.UPSERT, {"": {"nickname": "nobody"}, BO: {"nickname": "Bo"}, CY: {"nickname": "Cy"}})

    assert set(api.held()) == {CY}
    assert said(ended)[""][1:] == ("required", "`external_id` is missing: fill it at the source")
    assert said(ended)[BO][1] == "blocked_id"


def test_a_limit_of_texts_is_a_matter_of_config(api: BrazeFake) -> None:
    ended = delivered(api, Op.UPSERT, {ADA: {"nickname": "x" * 300}}, text_length_max=300)

    assert ended.others == {}
    assert len(api.held()[ADA]["nickname"]) == 300


def test_null_removes_an_attribute_and_what_is_not_sent_stays(api: BrazeFake) -> None:
    api.put(ADA, {"nickname": "Ada", "plan": "pro"})

    delivered(api, Op.UPSERT, {ADA: {"nickname": None}})

    assert (api.held()[ADA]["nickname"], api.held()[ADA]["plan"]) == (None, "pro")


@pytest.mark.parametrize(
    ("sends", "changed", "sent"),
    [
        ("changed", ["plan"], {"plan": "pro"}),
        ("changed", [], {"nickname": "Ada", "plan": "pro"}),
        ("all", ["plan"], {"nickname": "Ada", "plan": "pro"}),
    ],
)
def test_only_what_changed_is_sent_unless_nothing_did_or_all_is_wanted(
    sends: str, changed: list[str], sent: dict[str, str]
) -> None:
    """Each attribute that is sent may cost a data point."""
    asked = batch(Op.UPSERT, {ADA: {"nickname": "Ada", "plan": "pro"}}, key="external_id")
    column = asked.rows.schema.get_field_index("changed")
    asked = replace(asked, rows=asked.rows.set_column(column, "changed", pa.array([json.dumps(changed)])))

    request = adapter(sends=sends).encode(asked)

    (one,) = json.loads(request.content)["attributes"]
    assert one == {"external_id": ADA, "_update_existing_only": False, **sent}


def test_numbers_leave_with_all_their_digits() -> None:
    records = {ADA: {"revenue": Decimal("1234567890123456.78"), "seats": 2**70}}

    request = adapter().encode(batch(Op.UPSERT, records, key="external_id"))

    assert b'"revenue":1234567890123456.78' in request.content
    assert b'"seats":1180591620717411303424' in request.content


@pytest.mark.parametrize(
    ("match", "config", "named", "gone"),
    [
        ("external_id", {}, {"external_id": "k"}, {"external_ids": ["k"]}),
        ("braze_id", {}, {"braze_id": "k"}, {"braze_ids": ["k"]}),
        (
            "alias_name",
            {"alias_label": LABEL},
            {"user_alias": {"alias_name": "k", "alias_label": LABEL}},
            {"user_aliases": [{"alias_name": "k", "alias_label": LABEL}]},
        ),
        (
            "email",
            {},
            {"email": "k"},
            {"email_addresses": [{"email": "k", "prioritization": ["identified", "most_recently_updated"]}]},
        ),
    ],
)
def test_each_identifier_names_users_in_its_own_way(
    match: str, config: dict[str, str], named: dict[str, Any], gone: dict[str, Any]
) -> None:
    braze = adapter(**config)

    written = json.loads(braze.encode(batch(Op.UPDATE, {"k": {"plan": "pro"}}, key=match)).content)
    deleted = json.loads(braze.encode(batch(Op.DELETE, {"k": {}}, key=match)).content)

    assert written == {"attributes": [{**named, "_update_existing_only": True, "plan": "pro"}]}
    assert deleted == gone


def test_a_key_that_is_a_number_is_sent_as_text() -> None:
    (one,) = json.loads(adapter().encode(batch(Op.UPSERT, {12: {}}, key="external_id")).content)["attributes"]

    assert one["external_id"] == "12"


@pytest.mark.parametrize("counts", [True, False])
def test_an_update_makes_no_user(api: BrazeFake, counts: bool) -> None:
    api.counts = counts
    api.put(ADA, {"plan": "free"})

    delivered(api, Op.UPDATE, {ADA: {"plan": "pro"}, BO: {"plan": "pro"}})

    assert {id: held["plan"] for id, held in api.held().items()} == {ADA: "pro"}


def test_who_is_not_there_is_told_where_braze_does_not_count_them(api: BrazeFake) -> None:
    api.counts_absent = False
    api.put(ADA, {"plan": "free"})

    ended = delivered(api, Op.UPDATE, {ADA: {"plan": "pro"}, BO: {"plan": "pro"}})

    assert ended.delivered == {ADA}
    assert said(ended)[BO][:2] == ("rejected", "not_counted")


def test_a_delete_takes_who_is_there_and_counts_who_is_not_as_gone(api: BrazeFake) -> None:
    for id in OTHERS:
        api.put(id, {})
    api.put(CY, {})

    ended = delivered(api, Op.DELETE, {**{id: {} for id in OTHERS}, ADA: {}})

    assert ended.delivered == {*OTHERS, ADA}
    assert set(api.held()) == {CY}
    assert [len(json.loads(call.content)["external_ids"]) for call in api.sent] == [50, 11]


@pytest.mark.parametrize(
    ("config", "ended_with"),
    [
        ({}, {"email_subscribe": "unsubscribed", "push_subscribe": "unsubscribed"}),
        (
            {"channels": [], "groups": [GROUP]},
            {"subscription_groups": [{"subscription_group_id": GROUP, "subscription_state": "unsubscribed"}]},
        ),
    ],
    ids=["every channel", "one group"],
)
def test_an_unsubscribe_ends_what_is_configured_and_makes_nobody(
    api: BrazeFake, config: dict[str, Any], ended_with: dict[str, Any]
) -> None:
    api.put(ADA, {"nickname": "Ada"})

    ended = delivered(api, Op.UNSUBSCRIBE, {ADA: {}, CY: {}}, **config)

    assert ended.delivered == {ADA, CY}
    assert api.held() == {ADA: {"external_id": ADA, "nickname": "Ada", **ended_with, UNSUBSCRIBED: True}}


def test_a_group_that_is_not_there_unsubscribes_nobody_and_says_so(api: BrazeFake) -> None:
    api.put(ADA, {})

    ended = delivered(api, Op.UNSUBSCRIBE, {ADA: {}}, channels=[], groups=["another-group"])

    assert said(ended)[ADA][0] == "rejected"
    assert UNSUBSCRIBED not in api.held()[ADA]


def test_a_value_of_another_type_is_dropped_by_braze_without_a_word(api: BrazeFake) -> None:
    """Nothing but `validate --connect` can find it, which is why the page asks for it."""
    api.attributes["seats"] = Attribute("Number")

    ended = delivered(api, Op.UPSERT, {ADA: {"nickname": "Ada", "seats": "many"}})

    assert ended.delivered == {ADA}
    assert api.held()[ADA] == {"external_id": ADA, "nickname": "Ada"}
