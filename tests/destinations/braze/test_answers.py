"""What Braze's answers mean, in the words of its reference and of those who met them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.base import (
    AllDelivered,
    CheckFailed,
    Delivered,
    Op,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
)
from destinations.base import Unavailable as NoAnswer
from destinations.testing.braze import BrazeFake
from tests.destinations.batches import batch
from tests.destinations.braze.workspace import adapter, checked, delivered, workspace
from tests.destinations.calls import send

TWO = {"c-1": {"seats": 1}, "c-2": {"seats": 2}}
PRICE = {"type": "'seats' is not valid", "input_array": "attributes", "index": 1}
BOTH = [PRICE, {**PRICE, "index": 0}]
LACKING = "the key lacks the permission `{}`, or the contract does not include it: add it to the key in Braze (403)"
NO_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."


def reply(status: int, body: Any, headers: Mapping[str, str] | None = None, op: Op = Op.UPSERT) -> Reply:
    answer = httpx.Response(status, json=body, headers=headers)
    records = {id: {} for id in TWO} if op is Op.DELETE else TWO
    sent = batch(op, records, key="external_id")
    return send(adapter(), sent, httpx.MockTransport(lambda _request: answer))


def kinds(said: Reply) -> dict[str, type]:
    assert isinstance(said, Outcomes)
    return {one.id: type(one) for one in said.outcomes}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (201, {"message": "success", "attributes_processed": 2}),
        (200, {"message": "success"}),
        (202, {"message": "queued"}),
        (201, {"message": "success", "attributes_processed": 2, "errors": []}),
    ],
)
def test_what_is_queued_is_delivered(status: int, body: dict[str, Any]) -> None:
    assert kinds(reply(status, body)) == {"c-1": Delivered, "c-2": Delivered}


@pytest.mark.parametrize("counted", [1, 2], ids=["without the wrong one", "with it"])
def test_an_error_beside_a_success_is_about_the_user_at_its_index(counted: int) -> None:
    error = {"type": "'external_id' or 'braze_id' or 'user_alias' is required", "input_array": "attributes", "index": 1}

    said = reply(201, {"attributes_processed": counted, "message": "success", "errors": [error]})

    assert kinds(said) == {"c-1": Delivered, "c-2": Rejected}
    assert isinstance(said, Outcomes)
    assert Rejected("c-2", "required", "`external_id` is missing: fill it at the source") in said.outcomes


@pytest.mark.parametrize(
    "body",
    [
        {"message": "success", "errors": [{**PRICE, "index": 2}]},
        {"message": "success", "errors": [{**PRICE, "index": -1}]},
        {"message": "success", "errors": [{**PRICE, "index": True}]},
        {"message": "success", "errors": [{**PRICE, "index": "1"}]},
        {"message": "success", "attributes_processed": 3},
        {"message": "success", "attributes_processed": 1},
        {"message": "success", "attributes_processed": 0, "errors": [PRICE]},
        {"message": "success", "attributes_processed": "2"},
        {"message": ["success"]},
        {"attributes_processed": 2},
        {},
    ],
)
def test_an_answer_that_does_not_fit_the_call_is_believed_of_nobody(body: dict[str, Any]) -> None:
    said = reply(201, body)

    assert isinstance(said, NoAnswer)
    assert said.applied_unknown


@pytest.mark.parametrize("op", [Op.UPDATE, Op.UNSUBSCRIBE])
def test_fewer_users_than_were_sent_are_looked_for_where_nobody_is_made(op: Op) -> None:
    said = reply(201, {"message": "success", "attributes_processed": 1}, op=op)

    assert isinstance(said, Refused)
    assert said.code == "not_counted"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": "Max Input Length Exceeded"}),
        (400, {"message": "success"}),
        (400, {"message": NO_DATA, "errors": [PRICE]}),
        (400, {}),
        (413, {}),
        (422, {}),
        (201, {"message": "the attributes cannot be read"}),
        (201, {"message": "success", "errors": [{"type": "something is wrong"}]}),
        (201, {"message": "success", "errors": ["something is wrong"]}),
        (201, {"message": "success", "errors": [{**PRICE, "input_array": "events"}]}),
    ],
)
def test_a_refusal_that_does_not_name_everybody_is_halved(status: int, body: dict[str, Any]) -> None:
    assert isinstance(reply(status, body), Refused)


def test_a_refusal_that_names_everybody_is_told_of_each() -> None:
    assert kinds(reply(400, {"message": NO_DATA, "errors": BOTH})) == {"c-1": Rejected, "c-2": Rejected}


@pytest.mark.parametrize("words", ["4711 is not valid", "'4711' is not valid", "'seats' is not valid: 4711", "4711"])
@pytest.mark.parametrize("status", [201, 400, 413, 422])
def test_no_value_that_braze_repeats_goes_further(status: int, words: str) -> None:
    error = {"type": words, "input_array": "attributes", "index": 0}

    told = [reply(status, {"message": words, "errors": errors}) for errors in ([error, {**error, "index": 1}], [words])]

    assert "4711" not in repr(told)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"deleted": 2, "message": "success"}, AllDelivered),
        (200, {"deleted": 1}, AllDelivered),
        (202, {"message": "queued"}, AllDelivered),
        (400, {"message": "The max number of ids per request was exceeded"}, Refused),
        (200, {"message": "nothing was deleted"}, Refused),
        (200, {"message": "success", "errors": ["c-1"]}, Refused),
        (200, {"deleted": 3, "message": "success"}, NoAnswer),
        (200, {"deleted": "all"}, Refused),
        (200, {}, NoAnswer),
    ],
)
def test_a_deletion_is_believed_only_when_it_was_queued(status: int, body: dict[str, Any], expected: type) -> None:
    assert isinstance(reply(status, body, op=Op.DELETE), expected)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (
            {
                "date": "Mon, 30 Nov 2026 12:00:00 GMT",
                "x-ratelimit-limit": "250000",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1796040040",
            },
            timedelta(seconds=40),
        ),
        ({"retry-after": "3"}, timedelta(seconds=3)),
        ({}, None),
    ],
)
def test_a_throttled_call_waits_until_the_limit_is_renewed(headers: dict[str, str], wait: timedelta | None) -> None:
    assert reply(429, {"message": "Rate Limited"}, headers) == Throttled(wait)


@pytest.mark.parametrize("op", [Op.UPSERT, Op.DELETE])
@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_is_asked_again(status: int, op: Op) -> None:
    assert isinstance(reply(status, {"message": "Internal Server Error"}, op=op), NoAnswer)


@pytest.mark.parametrize(
    ("op", "config", "permissions", "words"),
    [
        (
            Op.UPSERT,
            {"login": {"token": "a-key-that-was-revoked"}},
            {"users.track"},
            "Braze refuses the key: put one that is in force into `login`, and its own instance into `url` (401)",
        ),
        (
            Op.UPSERT,
            {},
            {"users.delete"},
            LACKING.format("users.track"),
        ),
        (
            Op.DELETE,
            {},
            {"users.track"},
            LACKING.format("users.delete"),
        ),
        (
            Op.UPSERT,
            {"url": "https://rest.fra-01.braze.eu/api"},
            {"users.track"},
            "there is no Braze at `url`: put the REST endpoint of the instance there (404)",
        ),
    ],
    ids=["bad credential", "may not write", "may not delete", "wrong address"],
)
def test_a_call_that_may_not_be_made_ends_the_run_in_one_sentence_with_the_way_out(
    tmp_path: Path, op: Op, config: dict[str, Any], permissions: set[str], words: str
) -> None:
    api = workspace(tmp_path)
    api.permissions = frozenset(permissions)

    ended = delivered(api, op, {f"p-{n}": {} for n in range(120)}, **config)

    assert ended.stop is not None
    assert ended.stop.message == words
    assert len(api.requests) <= 4
    assert api.held() == {}


def test_a_check_writes_nobody_and_says_what_it_has_not_tried(tmp_path: Path) -> None:
    assert checked(workspace(tmp_path)) == (
        "the key may write users; whether it may delete them, the first deletion shows"
    )


@pytest.mark.parametrize(
    ("permissions", "words"),
    [((), "`users.track`"), (("users.delete",), "`users.track`")],
)
def test_a_check_names_the_permission_that_lacks(tmp_path: Path, permissions: tuple[str, ...], words: str) -> None:
    api: BrazeFake = workspace(tmp_path)
    api.permissions = frozenset(permissions)

    with pytest.raises(CheckFailed, match=words):
        checked(api)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", ["[]", "{}", '{"message": 1}', "<html>"])
def test_a_check_tells_another_service_from_braze(status: int, body: str) -> None:
    with pytest.raises(CheckFailed, match="not Braze"):
        checked(httpx.MockTransport(lambda _request: httpx.Response(status, text=body)))


def test_a_check_that_is_throttled_says_so() -> None:
    with pytest.raises(CheckFailed, match="fewer calls"):
        checked(httpx.MockTransport(lambda _request: httpx.Response(429)))


def test_a_refused_key_is_a_stop_with_its_status_as_code() -> None:
    said = reply(401, {"message": "Invalid API Key"})

    assert isinstance(said, Stop)
    assert said.code == "http_401"
