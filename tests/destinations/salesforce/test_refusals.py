"""What Salesforce's answers mean, in the words of its documents and of those who met them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.base import CheckFailed, Delivered, Failed, Op, Outcomes, Refused, Rejected, Reply, Stop, Throttled
from destinations.base import Unavailable as NoAnswer
from destinations.salesforce.answers import CONCURRENT_PAUSE, DAILY_PAUSE
from destinations.testing.salesforce import SalesforceFake
from destinations.testing.salesforce_fields import Column
from tests.destinations.batches import batch
from tests.destinations.calls import send
from tests.destinations.rehearsed import said
from tests.destinations.salesforce.org import adapter, checked, delivered, org

TWO = batch(Op.UPSERT, {"c-1": {"Seats__c": 1}, "c-2": {"Seats__c": 2}}, key="Ext_Key__c")
BEARER = {"login": {"token": "00D-a-session-of-the-suite"}}


@pytest.fixture
def api(tmp_path: Path) -> SalesforceFake:
    return org(tmp_path)


def reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
    answer = httpx.Response(status, json=body, headers=headers)
    return send(adapter(**BEARER), TWO, httpx.MockTransport(lambda _request: answer))


def done(id: str = "003000000000001AAA") -> dict[str, Any]:
    return {"id": id, "success": True, "created": True, "errors": []}


def wrong(code: str, *fields: str, message: str = "4711 is wrong") -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


def refusal(code: str, message: str = "4711") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


def test_each_record_is_told_by_its_place() -> None:
    told = reply(200, [done(), wrong("REQUIRED_FIELD_MISSING", "LastName")])

    words = "`LastName` is missing: map it, or fill it at the source"
    assert told == Outcomes((Delivered("c-1", "003000000000001AAA"), Rejected("c-2", "required_field_missing", words)))


SENTENCES = {
    "STRING_TOO_LONG": "`Seats__c` is longer than the field: shorten it at the source",
    "INVALID_EMAIL_ADDRESS": "`Seats__c` is no e-mail address that Salesforce takes: correct it at the source",
    "DUPLICATES_DETECTED": "a duplicate rule of the org finds it twice: merge the two in Salesforce, or write `duplicates: save`",
    "SOME_NEW_CODE": "`Seats__c` is refused (SOME_NEW_CODE): correct it at the source, or look at the object's rules in Salesforce",
    "4711 Main St": "`Seats__c` is refused (REFUSED): correct it at the source, or look at the object's rules in Salesforce",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_bad_value_ends_in_a_sentence_with_the_field_and_the_way_out(code: str) -> None:
    told = reply(200, [done(), wrong(code, "Seats__c")])

    assert isinstance(told, Outcomes)
    assert isinstance(told.outcomes[1], Rejected)
    assert told.outcomes[1].message == SENTENCES[code]


@pytest.mark.parametrize(
    "error",
    [
        wrong("UNABLE_TO_LOCK_ROW"),
        wrong("REQUEST_LIMIT_EXCEEDED"),
        wrong(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            message="Trig: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access",
        ),
    ],
)
def test_a_record_that_met_a_lock_is_tried_again(error: dict[str, Any]) -> None:
    told = reply(200, [done(), error])

    assert isinstance(told, Outcomes)
    assert isinstance(told.outcomes[1], Failed)


@pytest.mark.parametrize(
    "body", [[], [done()], [done()] * 3, {}, [done(), {"success": False, "errors": []}], [done(), {}]]
)
def test_an_answer_that_does_not_tell_of_each_record_is_believed_of_none(body: Any) -> None:
    told = reply(200, body)

    assert isinstance(told, NoAnswer)
    assert told.applied_unknown


def test_a_field_that_no_record_may_have_stops_the_run_and_one_that_some_may_not_does_not() -> None:
    all_wrong = reply(200, [wrong("INVALID_FIELD", "Sets__c"), wrong("INVALID_FIELD", "Sets__c")])
    some_wrong = reply(200, [wrong("INVALID_FIELD", "Sets__c"), done()])

    assert isinstance(all_wrong, Stop)
    assert "no field `Sets__c`" in all_wrong.message
    assert isinstance(some_wrong, Outcomes)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, refusal("INVALID_FIELD", "No such column 'Sets__c' on sobject of type Contact"), Stop),
        (400, refusal("INVALID_TYPE"), Stop),
        (400, refusal("JSON_PARSER_ERROR"), Refused),
        (400, refusal("UNABLE_TO_LOCK_ROW"), NoAnswer),
        (400, {}, Refused),
        (401, refusal("INVALID_SESSION_ID"), Stop),
        (403, refusal("API_DISABLED_FOR_ORG"), Stop),
        (404, refusal("NOT_FOUND", "Provided external ID field does not exist or is not accessible: X__c"), Stop),
        (404, {}, Stop),
        (413, {}, Refused),
        (500, refusal("UNKNOWN_EXCEPTION"), NoAnswer),
        (503, refusal("SERVER_UNAVAILABLE"), NoAnswer),
    ],
)
def test_a_call_that_is_refused_is_halved_stops_the_run_or_comes_again(status: int, body: Any, expected: type) -> None:
    assert isinstance(reply(status, body), expected)


def test_a_value_of_another_type_is_told_by_the_place_at_which_salesforce_stopped_to_read(api: SalesforceFake) -> None:
    """D6: the call is refused as a whole, and the words of the refusal name the place only."""
    records = {"c-1": {"LastName": "Ada", "Seats__c": 5}, "c-2": {"LastName": "Bo", "Seats__c": "4711", "Email": None}}

    ended = delivered(api, Op.UPSERT, records)

    words = "`Seats__c` is of another type than the field: map a column of that type"
    assert said(ended) == {"c-2": ("rejected", "json_parser_error", words)}
    assert set(api.held()) == {"c-1"}


def test_one_bad_record_of_each_kind_stops_no_other(api: SalesforceFake) -> None:
    api.schema["LastName"] = Column(length=80, is_required=True)
    good = {f"good-{n}": {"LastName": "G"} for n in range(195)}
    bad: dict[str, dict[str, Any]] = {
        "b-0": {"LastName": "x" * 81},
        "b-1": {"Plan__c": "free"},
        "b-2": {"LastName": "A", "Email": "nobody"},
        "b-3": {"LastName": "P", "Plan__c": "gold"},
        "b-4": {"LastName": "F", "CreatedDate": "2026-01-01T00:00:00Z"},
    }

    ended = delivered(api, Op.UPSERT, {**good, **bad})

    assert ended.delivered == set(good)
    assert {id: code for id, (_, code, _) in said(ended).items()} == {
        "b-0": "string_too_long",
        "b-1": "required_field_missing",
        "b-2": "invalid_email_address",
        "b-3": "invalid_or_null_for_restricted_picklist",
        "b-4": "invalid_field_for_insert_update",
    }
    assert all("`" in message and ":" in message for _, _, message in said(ended).values())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, [done(), wrong("FIELD_CUSTOM_VALIDATION_EXCEPTION", "4711 Main St")]),
        (400, refusal("4711")),
        (400, refusal("JSON_PARSER_ERROR", "Cannot deserialize instance of int from VALUE_STRING value 4711")),
        (403, refusal("INSUFFICIENT_ACCESS", "4711")),
    ],
)
def test_no_value_that_salesforce_repeats_goes_further(status: int, body: Any) -> None:
    """I24."""
    assert "4711" not in repr(reply(status, body))


@pytest.mark.parametrize(
    ("message", "used", "wait"),
    [
        ("TotalRequests Limit exceeded.", "api-usage=10/150000", DAILY_PAUSE),
        ("Limit exceeded.", "api-usage=150000/150000", DAILY_PAUSE),
        ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", "api-usage=10/150000", CONCURRENT_PAUSE),
        ("", "", CONCURRENT_PAUSE),
    ],
)
def test_a_limit_that_is_exceeded_waits_for_what_is_full(message: str, used: str, wait: timedelta) -> None:
    """D1: a 403 that is about calls and not about rights."""
    told = reply(403, refusal("REQUEST_LIMIT_EXCEEDED", message), {"sforce-limit-info": used})

    assert told == Throttled(wait)


@pytest.mark.parametrize(
    ("used", "kept", "wait"),
    [
        ("api-usage=14/15000", 0, None),
        ("api-usage=14999/15000", 0, None),
        ("api-usage=15000/15000", 0, DAILY_PAUSE),
        ("api-usage=18000/15000; per-app-api-usage=17/250(appName=x)", 0, DAILY_PAUSE),
        ("per-app-api-usage=250/250(appName=x)", 0, None),
        ("api-usage=14000/15000", 1_000, DAILY_PAUSE),
        ("api-usage=13999/15000", 1_000, None),
        ("soon", 0, None),
        ("", 0, None),
    ],
)
def test_every_answer_counts_the_calls_of_the_day(used: str, kept: int, wait: timedelta | None) -> None:
    answer = httpx.Response(200, headers={"sforce-limit-info": used})

    assert adapter(leaves_calls=kept).exhausted_for(answer) == wait


def test_a_day_that_is_used_up_leaves_the_rest_owed(api: SalesforceFake) -> None:
    api.calls_max = 1

    ended = delivered(api, Op.UPSERT, {f"p{n}": {"LastName": "P"} for n in range(300)})

    assert len(ended.delivered) == len(api.held()) == 200
    assert {one.outcome for one in ended.others.values()} == {"failed"}


def test_too_many_long_calls_at_once_pass(api: SalesforceFake) -> None:
    """D1."""

    class Busy(SalesforceFake):
        def _answer(self, request: httpx.Request) -> httpx.Response:
            self.is_busy = len(self.requests) == 1
            return super()._answer(request)

    busy = Busy(api.spec, api.folder)
    ended = delivered(busy, Op.UPSERT, {"c-1": {"LastName": "Ada"}})

    assert ended.delivered == {"c-1"}
    assert ended.waited_seconds >= CONCURRENT_PAUSE.total_seconds()


def test_a_client_that_salesforce_does_not_know_ends_in_one_sentence(api: SalesforceFake) -> None:
    api.issuer.answers = [httpx.Response(400, json={"error": "invalid_client_id", "error_description": "4711"})]

    ended = delivered(api, Op.UPSERT, {"c-1": {}})

    assert ended.stop == Stop(
        "auth_invalid_client_id",
        "the token endpoint refuses the credential (invalid_client_id): correct its `client_id`",
    )


def test_a_session_that_is_over_ends_in_one_sentence() -> None:
    told = reply(401, refusal("INVALID_SESSION_ID"))

    assert told == Stop("http_401", "Salesforce refuses the token: put one that is in force into `login` (401)")


def test_a_user_who_may_not_write_ends_in_one_sentence_with_the_way_out(api: SalesforceFake) -> None:
    api.may_write = False

    ended = delivered(api, Op.UPSERT, {"c-1": {}})

    words = "the user may not do this (INSUFFICIENT_ACCESS): give it `API Enabled`, and the object and its fields, in a permission set"
    assert ended.stop == Stop("insufficient_access", words)
    assert api.held() == {}


def test_a_key_that_is_not_there_is_found_out_by_the_question(api: SalesforceFake) -> None:
    ended = delivered(api, Op.DELETE, {"c-1": {}}, match="Ext_Kee__c")

    assert ended.stop is not None
    assert ended.stop.message.startswith("the object has no field `Ext_Kee__c`")


def test_a_check_tells_how_many_calls_of_the_day_are_left(api: SalesforceFake) -> None:
    assert checked(api) == "the org answers; 149,999 of its 150,000 calls in 24 hours are left"


@pytest.mark.parametrize("body", ["[]", "{}", '{"DailyApiRequests": {"Max": "x"}}', "<html>"])
def test_a_check_tells_another_service_from_salesforce(body: str) -> None:
    with pytest.raises(CheckFailed):
        checked(httpx.MockTransport(lambda _request: httpx.Response(200, text=body)), **BEARER)
