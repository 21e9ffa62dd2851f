"""What HubSpot's answers mean, in the words of its documents and of those who met them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.base import CheckFailed, Delivered, Failed, Op, Outcomes, Refused, Rejected, Reply, Stop, Throttled
from destinations.base import Unavailable as NoAnswer
from destinations.hubspot.answers import DAILY_PAUSE
from tests.destinations.batches import batch
from tests.destinations.calls import send
from tests.destinations.hubspot.account import account, adapter, checked, delivered

TWO = batch(Op.UPSERT, {"a@x.example": {"seats": 1}, "b@x.example": {"seats": 2}}, key="email")
A, B = TWO.ids
UNKNOWN = [{"isValid": False, "message": 'Property "missing" does not exist', "error": "PROPERTY_DOESNT_EXIST"}]
UNKNOWN[0]["name"] = "missing"
INVALID = [{"isValid": False, "message": "4711 was not a valid integer", "error": "INVALID_INTEGER", "name": "seats"}]


def reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
    answer = httpx.Response(status, json=body, headers=headers)
    return send(adapter(), TWO, httpx.MockTransport(lambda _request: answer))


def result(key: str, **more: Any) -> dict[str, Any]:
    return {"id": f"id-of-{key}", "properties": {"email": key}, "archived": False, **more}


def wrong(what: list[dict[str, Any]], **context: Any) -> dict[str, Any]:
    message = f"Property values were not valid: {json.dumps(what)}"
    return {"status": "error", "category": "VALIDATION_ERROR", "message": message, "context": context}


def told(results: list[Any], errors: list[Any]) -> dict[str, Any]:
    return {"status": "COMPLETE", "results": results, "numErrors": len(errors), "errors": errors}


def test_a_207_names_the_bad_record_by_its_trace_id_and_the_good_one_by_its_key() -> None:
    said = reply(207, told([result(A)], [wrong(UNKNOWN, objectWriteTraceId=["1"])]))

    assert isinstance(said, Outcomes)
    good, bad = said.outcomes
    assert good == Delivered(A, f"id-of-{A}")
    assert isinstance(bad, Rejected)
    assert (bad.id, bad.code) == (B, "property_doesnt_exist")


def test_a_conflict_in_a_207_carries_two_ids_and_is_told_of_one_record() -> None:
    context = {"objectWriteTraceId": ["0"], "existingId": ["171591000198"]}
    conflict = {"status": "error", "category": "CONFLICT", "message": "Contact already exists.", "context": context}

    said = reply(207, told([result(B, objectWriteTraceId="1")], [conflict]))

    assert isinstance(said, Outcomes)
    assert {one.id: type(one) for one in said.outcomes} == {A: Rejected, B: Delivered}


def test_an_error_may_name_its_record_by_the_key_that_was_not_found() -> None:
    missing = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no such", "context": {"ids": [B]}}

    said = reply(207, told([result(A)], [missing]))

    assert isinstance(said, Outcomes)
    assert [(one.id, type(one)) for one in said.outcomes] == [(A, Delivered), (B, Rejected)]


def test_a_207_in_which_every_record_fails_for_the_mapping_stops_the_run() -> None:
    said = reply(207, told([], [wrong(UNKNOWN, objectWriteTraceId=["0"]), wrong(UNKNOWN, objectWriteTraceId=["1"])]))

    assert isinstance(said, Stop)
    assert "no property `missing`" in said.message


def test_an_error_that_may_pass_is_tried_again() -> None:
    passing = {"status": "error", "category": "INTERNAL_ERROR", "context": {"objectWriteTraceId": ["1"]}}

    said = reply(207, told([result(A)], [passing]))

    assert isinstance(said, Outcomes)
    assert isinstance(said.outcomes[1], Failed)


@pytest.mark.parametrize(
    ("results", "errors", "known"),
    [
        ([result(A)], [wrong(INVALID)], {A: Delivered, B: Rejected}),
        ([result(A), {"id": "7", "properties": {}}], [], {A: Delivered, B: Delivered}),
        ([{"id": "7", "properties": {}}], [wrong(INVALID)], {}),
        ([result(A)], [], {A: Delivered}),
        ([], [], {}),
        ([], [wrong(INVALID)], {}),
    ],
    ids=["one of each", "one result without a key", "nobody named", "one is missing", "nothing", "one error for two"],
)
def test_what_names_nobody_is_told_by_the_counts_or_left_unknown(
    results: list[Any], errors: list[Any], known: dict[str, type]
) -> None:
    said = reply(207, told(results, errors))

    assert isinstance(said, Outcomes)
    assert {one.id: type(one) for one in said.outcomes} == known


@pytest.mark.parametrize("stranger", [result("c@x.example"), result(A), result(A, objectWriteTraceId="99")])
def test_an_answer_about_more_records_than_were_sent_is_believed_of_none(stranger: dict[str, Any]) -> None:
    said = reply(200, told([result(A), result(B), stranger], []))

    assert isinstance(said, NoAnswer)
    assert said.applied_unknown


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 501"}, Refused),
        (400, {"category": "VALIDATION_ERROR", "message": "Invalid input JSON on line 1"}, Refused),
        (400, wrong(INVALID), Refused),
        (404, {"category": "OBJECT_NOT_FOUND", "message": "resource not found"}, Refused),
        (413, {}, Refused),
        (414, {}, Refused),
        (400, wrong(UNKNOWN), Stop),
        (400, {"message": "Unable to perform update/upsert by non-unique 0-2 property hs_object_id in portal"}, Stop),
        (400, {"message": "Unable to infer object type from: contcats"}, Stop),
        (404, {}, Stop),
        (423, {}, NoAnswer),
        (477, {}, NoAnswer),
        (525, {}, NoAnswer),
    ],
)
def test_a_call_that_is_refused_is_halved_stops_the_run_or_comes_again(
    status: int, body: dict[str, Any], expected: type
) -> None:
    assert isinstance(reply(status, body), expected)


def test_a_refusal_may_give_its_errors_as_a_list_with_the_property_in_their_context() -> None:
    listed = [{"message": "4711 is wrong", "code": "INVALID_LONG", "context": {"propertyName": ["seats"]}}]

    said = reply(400, {"category": "VALIDATION_ERROR", "message": "4711 is wrong", "errors": listed})

    words = "`seats` is not of the property's type (INVALID_LONG): map a column of that type"
    assert said == Refused("invalid_long", words)


@pytest.mark.parametrize(
    "body", [wrong(INVALID), {"message": "4711"}, {"errors": [{"in": "4711 Main St", "code": "4711"}]}]
)
def test_no_value_that_hubspot_repeats_goes_further(body: dict[str, Any]) -> None:
    assert "4711" not in repr(reply(400, body))


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        ({"policyName": "TEN_SECONDLY_ROLLING"}, {}, timedelta(seconds=10)),
        ({"policyName": "TEN_SECONDLY_ROLLING"}, {"retry-after": "3"}, timedelta(seconds=3)),
        ({"policyName": "TEN_SECONDLY_ROLLING"}, {"retry-after": "9000"}, timedelta(seconds=10)),
        ({"policyName": "DAILY"}, {}, DAILY_PAUSE),
        ({}, {"x-hubspot-ratelimit-daily-remaining": "0"}, DAILY_PAUSE),
        (
            {},
            {"x-hubspot-ratelimit-remaining": "0", "x-hubspot-ratelimit-interval-milliseconds": "4000"},
            timedelta(seconds=4),
        ),
        ({}, {"x-hubspot-ratelimit-remaining": "0"}, timedelta(seconds=10)),
        ({}, {}, None),
    ],
)
def test_a_throttled_call_waits_for_the_window_that_is_full(
    body: dict[str, Any], headers: dict[str, str], wait: timedelta | None
) -> None:
    assert reply(429, {"category": "RATE_LIMITS", **body}, headers) == Throttled(wait)


def test_a_lock_is_left_alone_for_two_seconds() -> None:
    said = reply(423, {"message": "locked"})

    assert isinstance(said, NoAnswer)
    assert (said.retry_after, said.applied_unknown) == (timedelta(seconds=2), False)


def test_a_day_that_is_used_up_ends_the_run_and_leaves_the_rest_owed(tmp_path: Path) -> None:
    api = account(tmp_path)
    api.calls_left = 1

    ended = delivered(api, Op.UPSERT, {f"p{n}@x.example": {"nickname": "P"} for n in range(150)})

    assert len(ended.delivered) == 100
    assert {one.outcome for one in ended.others.values()} == {"failed"}
    assert len(api.held()) == 100


@pytest.mark.parametrize(
    ("config", "scopes", "words"),
    [
        ({"login": {"token": "pat-na1-that-was-revoked"}}, None, "HubSpot refuses the token: put one that is in force"),
        (
            {},
            (),
            "the token lacks a scope: give its app `crm.objects.companies.write` or `crm.objects.contacts.write` (403)",
        ),
    ],
    ids=["bad credential", "missing scope"],
)
def test_a_credential_that_may_not_write_ends_in_one_sentence_with_the_way_out(
    tmp_path: Path, config: dict[str, Any], scopes: tuple[str, ...] | None, words: str
) -> None:
    api = account(tmp_path)
    api.scopes = api.scopes if scopes is None else scopes

    ended = delivered(api, Op.UPSERT, {"a@x.example": {"nickname": "A"}}, **config)

    assert ended.stop is not None
    assert ended.stop.message.startswith(words)
    assert "revoked" not in ended.stop.message
    assert api.held() == {}


def test_a_check_names_the_account_and_what_its_token_may_write(tmp_path: Path) -> None:
    words = "the account 4242 answers; its token has communication_preferences.read_write, crm.objects.contacts.write"

    assert checked(account(tmp_path)) == words


def test_a_check_of_a_token_that_may_write_nothing_names_a_scope(tmp_path: Path) -> None:
    api = account(tmp_path)
    api.scopes = ("crm.objects.contacts.read",)

    with pytest.raises(CheckFailed, match=r"may write nothing: give its app `crm\.objects\.contacts\.write`"):
        checked(api)


@pytest.mark.parametrize("body", ["[]", "{}", '{"portalId": "x"}', "<html>"])
def test_a_check_tells_another_service_from_hubspot(body: str) -> None:
    with pytest.raises(CheckFailed):
        checked(httpx.MockTransport(lambda _request: httpx.Response(200, text=body)))
