"""What each operation writes to Salesforce, and what becomes of records that are there, are not, or are there twice."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.base import Op
from destinations.salesforce.records import found, questions
from destinations.testing.fake import UNSUBSCRIBED
from destinations.testing.salesforce import ROOT, SalesforceFake
from tests.destinations.batches import batch
from tests.destinations.rehearsed import said
from tests.destinations.salesforce.org import adapter, delivered, org

ADA, BO, CY = "c-1", "c-2", "o'neil \\ (c-3)"


@pytest.fixture
def api(tmp_path: Path) -> SalesforceFake:
    return org(tmp_path)


def paths(api: SalesforceFake) -> list[tuple[str, str]]:
    return [(request.method, request.url.path.removeprefix(ROOT)) for request in api.requests]


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


def test_an_upsert_names_the_external_id_in_its_path_and_each_record_stands_alone(api: SalesforceFake) -> None:
    api.put(BO, {"LastName": "Bo", "Plan__c": "free"})

    ended = delivered(api, Op.UPSERT, {ADA: {"LastName": "Ada"}, BO: {"LastName": None}})

    assert ended.others == {}
    assert api.held() == {ADA: {"LastName": "Ada"}, BO: {"LastName": None, "Plan__c": "free"}}
    assert paths(api) == [("PATCH", "/composite/sobjects/Contact/Ext_Key__c")]
    assert body(api.requests[0]) == {
        "allOrNone": False,
        "records": [
            {"attributes": {"type": "Contact"}, "Ext_Key__c": ADA, "LastName": "Ada"},
            {"attributes": {"type": "Contact"}, "Ext_Key__c": BO, "LastName": None},
        ],
    }


def test_a_related_record_is_named_by_its_external_id_and_let_go_of_by_its_lookup() -> None:
    """A null inside a related record would name nobody."""
    fields = {"Account.Ext_Key__c": "a-3", "Owner:User.Email": "o@acme.example", "Site__r.Code__c": "s"}
    names = {"Account", "Owner", "Site__r"}

    call = adapter().encode(batch(Op.UPSERT, {ADA: fields, BO: dict.fromkeys(fields)}, key="Ext_Key__c"))

    one, other = body(call)["records"]
    assert {name: one[name] for name in names} == {
        "Account": {"Ext_Key__c": "a-3"},
        "Owner": {"attributes": {"type": "User"}, "Email": "o@acme.example"},
        "Site__r": {"Code__c": "s"},
    }
    assert {name: other[name] for name in other if name not in {"attributes", "Ext_Key__c"}} == dict.fromkeys(
        ("AccountId", "OwnerId", "Site__c")
    )


def test_numbers_are_written_with_all_their_digits() -> None:
    call = adapter().encode(
        batch(Op.UPSERT, {ADA: {"Revenue__c": Decimal("12345678901234567890.10")}}, key="Ext_Key__c")
    )

    assert b'"Revenue__c":12345678901234567890.10' in call.content


def test_an_update_asks_for_ids_makes_nobody_and_says_so(api: SalesforceFake) -> None:
    api.put(ADA, {"LastName": "Ada", "Plan__c": "free"})

    ended = delivered(api, Op.UPDATE, {ADA: {"Plan__c": "pro"}, BO: {"Plan__c": "pro"}})

    assert api.held() == {ADA: {"LastName": "Ada", "Plan__c": "pro"}}
    assert said(ended)[BO][:2] == ("rejected", "not_found")
    assert paths(api) == [("POST", "/composite"), ("PATCH", "/composite/sobjects")]


def test_an_update_may_name_records_by_the_id_that_salesforce_gave_them(api: SalesforceFake) -> None:
    api.put(ADA, {"Plan__c": "free"})

    ended = delivered(api, Op.UPDATE, {api.id_of(ADA): {"Plan__c": "pro"}}, match="Id")

    assert ended.others == {}
    assert api.held()[ADA]["Plan__c"] == "pro"
    assert paths(api) == [("PATCH", "/composite/sobjects")]


def test_an_insert_whose_answer_was_lost_makes_no_second_record(api: SalesforceFake) -> None:
    """N10: an external id need not be unique, so Salesforce would take the record again."""
    api.put(ADA, {"LastName": "first"})

    ended = delivered(api, Op.INSERT, {ADA: {"LastName": "second"}, BO: {"LastName": "Bo"}})

    assert api.held() == {ADA: {"LastName": "first"}, BO: {"LastName": "Bo"}}
    assert said(ended)[ADA][:2] == ("rejected", "exists")
    assert len(body(api.requests[-1])["records"]) == 1


def test_a_delete_takes_the_ids_of_who_is_there_and_counts_who_is_not_as_gone(api: SalesforceFake) -> None:
    for key in (ADA, CY):
        api.put(key, {})

    ended = delivered(api, Op.DELETE, {ADA: {}, BO: {}, CY: {}})

    assert ended.delivered == {ADA, BO, CY}
    assert api.held() == {}
    assert api.requests[-1].url.params["ids"] == f"{api.id_of(ADA)},{api.id_of(CY)}"


def test_no_key_stands_in_an_address(api: SalesforceFake) -> None:
    """I24: addresses of calls are logged on the way, and a key may be somebody's address."""
    for op in (Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE):
        api.put("ada@example.com", {})
        delivered(api, op, {"ada@example.com": {}})

    assert [request for request in api.requests if "ada" in str(request.url)] == []


def test_a_record_that_is_deleted_meanwhile_is_gone(api: SalesforceFake) -> None:
    """Somebody deleted it between the question and the call."""

    class Hasty(SalesforceFake):
        def answered(self, request: httpx.Request, outcomes: Any) -> httpx.Response:
            wrong = {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []}
            return httpx.Response(200, json=[{"id": "003", "success": False, "errors": [wrong]} for _ in outcomes])

    hasty = Hasty(api.spec, api.folder)
    hasty.put(ADA, {})

    assert delivered(hasty, Op.DELETE, {ADA: {}}).delivered == {ADA}


@pytest.mark.parametrize("op", [Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE])
def test_a_key_that_two_records_have_touches_neither(api: SalesforceFake, op: Op) -> None:
    """P4: nobody knows which of the two this sync delivered."""
    api.put(ADA, {"LastName": "one of two"})
    api.twice.add(ADA)

    ended = delivered(api, op, {ADA: {}})

    assert said(ended)[ADA][:2] == ("rejected", "duplicate_external_id")
    assert api.held() == {ADA: {"LastName": "one of two"}}
    assert len(api.requests) == 1


def test_an_unsubscribe_sets_the_checkbox_and_writes_nothing_else(api: SalesforceFake) -> None:
    for key in (ADA, BO):
        api.put(key, {"LastName": key})

    ended = delivered(api, Op.UNSUBSCRIBE, {ADA: {}, CY: {}})

    assert ended.delivered == {ADA, CY}
    assert {key for key, held in api.held().items() if held.get(UNSUBSCRIBED)} == {ADA}
    (written,) = body(api.requests[-1])["records"]
    assert written == {"attributes": {"type": "Contact"}, "id": api.id_of(ADA), "HasOptedOutOfEmail": True}


def test_another_object_has_another_checkbox() -> None:
    assert adapter(unsubscribes="PersonHasOptedOutOfEmail").config.unsubscribes == "PersonHasOptedOutOfEmail"


def test_two_hundred_long_keys_are_asked_for_in_conditions_that_a_query_may_have(api: SalesforceFake) -> None:
    records = {f"{n:03d}-{'x' * 200}": {} for n in range(200)}

    ended = delivered(api, Op.DELETE, records)

    assert ended.delivered == set(records)
    assert len(api.requests) == 3, "fourteen keys fit a condition, and five queries a call"


def test_a_row_of_nobody_who_was_asked_for_is_not_believed() -> None:
    """I5: if it is of one of the batch after all, that one would count as absent, and so as deleted."""
    with pytest.raises(KeyError):
        found("Ext_Key__c", batch(Op.DELETE, {ADA: {}}, key="Ext_Key__c"), [{"Id": "003", "Ext_Key__c": "c-9"}])


@pytest.mark.parametrize(
    ("key", "row"), [("Ada", "ADA"), ("Ada", "Ada"), (" Ada", "Ada"), (12, 12.0), (12, 12), (Decimal("12.50"), 12.5)]
)
def test_a_key_is_known_again_in_the_form_that_salesforce_gives_it(key: Any, row: Any) -> None:
    asked = batch(Op.DELETE, {key: {}}, key="Ext_Key__c") if not isinstance(key, Decimal) else None
    if asked is None:
        asked = batch(Op.DELETE, {12.5: {}}, key="Ext_Key__c")

    assert list(found("Ext_Key__c", asked, [{"Id": "003", "Ext_Key__c": row}]).ids.values()) == ["003"]


def test_a_number_is_asked_for_as_a_number() -> None:
    (call,) = questions("Contact", "Number__c", batch(Op.DELETE, {12: {}}, key="Number__c"), ROOT)

    assert b"IN+%2812%29" in call


@pytest.mark.parametrize(
    ("config", "headers"),
    [
        ({}, {"sforce-auto-assign": "FALSE", "sforce-duplicate-rule-header": None}),
        ({"assigns": True}, {"sforce-auto-assign": "TRUE", "sforce-duplicate-rule-header": None}),
        ({"duplicates": "save"}, {"sforce-auto-assign": "FALSE", "sforce-duplicate-rule-header": "allowSave=true"}),
    ],
)
def test_rules_of_the_org_run_as_configured(config: dict[str, Any], headers: dict[str, str | None]) -> None:
    call = adapter(**config).encode(batch(Op.UPSERT, {ADA: {}}, key="Ext_Key__c"))

    assert {name: call.headers.get(name) for name in headers} == headers
