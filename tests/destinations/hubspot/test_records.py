"""What deliveries leave in HubSpot, and what is said of those records that it does not take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from destinations.base import Op
from destinations.testing.fake import UNSUBSCRIBED
from destinations.testing.hubspot import HubSpotFake
from tests.destinations.hubspot.account import account, delivered
from tests.destinations.rehearsed import said

ADA, BO, CY = "ada@example.com", "bo@example.com", "cy@example.com"


@pytest.fixture
def api(tmp_path: Path) -> HubSpotFake:
    return account(tmp_path)


@pytest.mark.parametrize("tells_each", [True, False])
@pytest.mark.parametrize(
    ("field", "value", "code", "words"),
    [
        (
            "seats",
            "many",
            "invalid_integer",
            "`seats` is not of the property's type (INVALID_INTEGER): map a column of",
        ),
        ("signup", "soon", "invalid_date", "`signup` is not of the property's type (INVALID_DATE): map a column of"),
        ("plan", "gold", "invalid_option", "`plan` is none of the property's options: add the option in HubSpot, or"),
        (
            "nickname",
            "x" * 65_537,
            "value_too_long",
            "`nickname` is longer than HubSpot takes (VALUE_TOO_LONG): shorten",
        ),
    ],
)
def test_one_bad_value_is_told_by_its_field_and_stops_no_other_record(
    api: HubSpotFake, tells_each: bool, field: str, value: str, code: str, words: str
) -> None:
    api.tells_each = tells_each
    records = {f"p{n}@example.com": {"nickname": f"P{n}"} for n in range(9)}

    ended = delivered(api, Op.UPSERT, {**records, ADA: {field: value}})

    assert set(api.held()) == set(records)
    ((outcome, found, message),) = said(ended).values()
    assert (outcome, found) == ("rejected", code)
    assert message.startswith(words)
    assert "a-value-of-somebody" not in message


def test_an_address_that_is_none_is_told_as_such(api: HubSpotFake) -> None:
    ended = delivered(api, Op.UPSERT, {"nobody": {"nickname": "N"}, ADA: {"nickname": "Ada"}})

    assert set(api.held()) == {ADA}
    assert said(ended)["nobody"][1:] == (
        "invalid_email",
        "`email` is no e-mail address that HubSpot takes: correct it at the source",
    )


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("plan_tier", "the object has no property `plan_tier`: create it in HubSpot, or take it out of `fields`"),
        ("createdate", "`createdate` is read-only in HubSpot: take it out of `fields`"),
    ],
)
def test_a_property_that_no_record_can_have_stops_the_run_after_one_call(
    api: HubSpotFake, field: str, words: str
) -> None:
    records = {f"p{n}@example.com": {"nickname": f"P{n}", field: "2026-01-01"} for n in range(150)}

    ended = delivered(api, Op.UPSERT, records)

    assert ended.stop is not None
    assert ended.stop.message == words
    assert len(api.requests) == 1
    assert api.held() == {}


def test_an_insert_of_a_record_that_exists_is_rejected_beside_the_new_ones(api: HubSpotFake) -> None:
    api.put(ADA, {"nickname": "first"})

    ended = delivered(api, Op.INSERT, {ADA: {"nickname": "second"}, BO: {"nickname": "Bo"}})

    assert api.held()[ADA]["nickname"] == "first"
    assert api.held()[BO]["nickname"] == "Bo"
    assert said(ended)[ADA][:2] == ("rejected", "conflict")


def test_an_update_makes_no_record_and_says_so(api: HubSpotFake) -> None:
    api.put(ADA, {"nickname": "Ada", "plan": "free"})

    ended = delivered(api, Op.UPDATE, {ADA: {"plan": "pro"}, BO: {"plan": "pro"}})

    assert {id: (held.get("nickname"), held["plan"]) for id, held in api.held().items()} == {ADA: ("Ada", "pro")}
    assert said(ended)[BO][:2] == ("rejected", "object_not_found")


def test_an_update_may_name_records_by_the_id_that_hubspot_gave_them(api: HubSpotFake) -> None:
    api.put(ADA, {"plan": "free"})

    ended = delivered(api, Op.UPDATE, {api.id_of(ADA): {"plan": "pro"}}, match="hs_object_id")

    (call,) = api.requests
    assert ended.others == {}
    assert api.held()[ADA]["plan"] == "pro"
    assert "idProperty" not in json.loads(call.content)["inputs"][0]


def test_an_address_in_capitals_is_the_contact_that_hubspot_writes_small(api: HubSpotFake) -> None:
    """Nothing but the key tells which record a result is about, where trace ids are not repeated."""
    api.repeats_trace_ids = False
    api.lowers_addresses = True

    ended = delivered(api, Op.UPSERT, {"Ada@Example.com": {"nickname": "Ada"}, BO: {"nickname": "Bo"}})

    assert ended.delivered == {"Ada@Example.com", BO}


def test_a_delete_archives_who_is_there_and_counts_who_is_not_as_gone(api: HubSpotFake) -> None:
    api.put(ADA, {})
    api.put(BO, {})

    ended = delivered(api, Op.DELETE, {ADA: {}, CY: {}})

    assert ended.delivered == {ADA, CY}
    assert set(api.held()) == {BO}
    assert api.gone == set()
    assert [request.url.path.rpartition("/")[2] for request in api.requests] == ["read", "archive"]


def test_a_delete_for_good_takes_one_call_a_contact_and_none_for_who_is_not_there(api: HubSpotFake) -> None:
    """An address that HubSpot does not know would be blocked for ever by such a call."""
    for id in (ADA, BO):
        api.put(id, {})

    ended = delivered(api, Op.DELETE, {ADA: {}, BO: {}, CY: {}}, deletes="gdpr")

    assert ended.delivered == {ADA, BO, CY}
    assert api.gone == {ADA, BO}
    assert [request.url.path.rpartition("/")[2] for request in api.requests] == ["read", "gdpr-delete", "gdpr-delete"]


def test_companies_are_archived_also_where_contacts_are_deleted_for_good(tmp_path: Path) -> None:
    api = account(tmp_path)
    api.put(ADA, {})

    delivered(api, Op.DELETE, {ADA: {}}, object="companies", deletes="gdpr")

    assert api.held() == {}
    assert api.gone == set()


def test_a_contact_that_two_were_merged_into_is_found_by_the_address_of_either(api: HubSpotFake) -> None:
    api.put(ADA, {})
    api.records[ADA]["hs_additional_emails"] = f"{BO};{CY}"
    api.aliases[CY] = ADA

    ended = delivered(api, Op.DELETE, {CY: {}})

    assert ended.delivered == {CY}
    assert api.held() == {}


def test_a_contact_that_cannot_be_told_from_a_stranger_is_not_called_deleted(api: HubSpotFake) -> None:
    """HubSpot found somebody by an address that stands nowhere in what it says of them."""
    api.put(ADA, {})
    api.aliases[CY] = ADA

    ended = delivered(api, Op.DELETE, {CY: {}}, attempts=1)

    assert ended.delivered == set()
    assert set(api.held()) == {ADA}


@pytest.mark.parametrize("config", [{}, {"subscription": 7}])
def test_an_unsubscribe_ends_the_subscriptions_and_writes_nothing_else(
    api: HubSpotFake, config: dict[str, int]
) -> None:
    api.put(ADA, {"nickname": "Ada"})
    api.put(BO, {"nickname": "Bo"})

    ended = delivered(api, Op.UNSUBSCRIBE, {ADA: {}, CY: {}}, **config)

    assert ended.delivered == {ADA, CY}
    assert {id for id, held in api.held().items() if held.get(UNSUBSCRIBED)} == {ADA}
    assert set(api.held()) == {ADA, BO}
    _, call = api.requests
    inputs = json.loads(call.content)["inputs"]
    one = {"subscriberIdString": ADA, "subscriptionId": 7, "statusState": "UNSUBSCRIBED", "channel": "EMAIL"}
    assert inputs == ([one] if config else [ADA])


def test_who_is_found_by_another_property_is_unsubscribed_by_the_address_that_hubspot_holds(api: HubSpotFake) -> None:
    api.match = "crm_key"  # type: ignore[misc]  # one account, looked at by another property
    api.put("c-1", {"email": ADA})
    api.put("c-2", {})

    ended = delivered(api, Op.UNSUBSCRIBE, {"c-1": {}, "c-2": {}}, match="crm_key")

    assert ended.delivered == {"c-1", "c-2"}, "who has no address gets no mail"
    assert {id for id, held in api.held().items() if held.get(UNSUBSCRIBED)} == {"c-1"}


def test_nobody_unsubscribes_a_company(api: HubSpotFake) -> None:
    ended = delivered(api, Op.UNSUBSCRIBE, {ADA: {}}, object="companies")

    assert ended.stop is not None
    assert "contacts only" in ended.stop.message
    assert api.requests == []
