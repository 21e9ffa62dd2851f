"""What Customer.io's answers mean, in the words of its reference and of those who met them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.base import CheckFailed, Delivered, Op, Outcomes, Refused, Rejected, Reply, Stop, Throttled
from destinations.base import Unavailable as NoAnswer
from tests.destinations.batches import batch
from tests.destinations.calls import send
from tests.destinations.customerio.workspace import LOGIN, adapter, checked, delivered, workspace

TWO = {"c-1": {"seats": 1}, "c-2": {"seats": 2}}
WRONG = {"batch_index": 1, "reason": "invalid", "field": "attributes.seats", "message": "4711 is too much"}
SENTENCE = (
    "`seats` is no value that Customer.io takes: correct it at the source, or map a column of the type that it wants"
)
REFUSED = "Customer.io refuses it and names no field that was sent: compare the row with the person in Customer.io"


def reply(status: int, body: Any, headers: Mapping[str, str] | None = None, op: Op = Op.UPSERT) -> Reply:
    answer = httpx.Response(status, json=body, headers=headers)
    records = {id: {} for id in TWO} if op is Op.DELETE else TWO
    return send(adapter(), batch(op, records), httpx.MockTransport(lambda _request: answer))


def kinds(said: Reply) -> dict[str, type]:
    assert isinstance(said, Outcomes)
    return {one.id: type(one) for one in said.outcomes}


@pytest.mark.parametrize("op", [Op.UPSERT, Op.UPDATE, Op.DELETE])
def test_an_empty_answer_delivers_all(op: Op) -> None:
    assert kinds(reply(200, {}, op=op)) == {"c-1": Delivered, "c-2": Delivered}


@pytest.mark.parametrize("status", [200, 207])
def test_an_error_is_about_the_person_at_its_index_and_the_others_are_taken(status: int) -> None:
    said = reply(status, {"errors": [WRONG, {**WRONG, "reason": "required"}]})

    assert kinds(said) == {"c-1": Delivered, "c-2": Rejected}
    assert isinstance(said, Outcomes)
    assert Rejected("c-2", "invalid", SENTENCE) in said.outcomes


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ({"reason": "required", "field": "identifiers.id"}, "required", "`id` is missing: fill it at the source"),
        (
            {"reason": "too_long", "field": "seats"},
            "too_long",
            "`seats` is longer than Customer.io takes: shorten it at the source",
        ),
        ({"reason": "something new", "field": "attributes.seats"}, "invalid", SENTENCE),
        ({"reason": "invalid", "field": "attributes.4711"}, "refused", REFUSED),
        ({"reason": "4711", "field": "4711", "message": "4711"}, "refused", REFUSED),
        ({}, "refused", REFUSED),
    ],
)
def test_a_reason_becomes_one_sentence_with_the_field_where_it_was_sent(
    error: dict[str, str], code: str, words: str
) -> None:
    said = reply(207, {"errors": [{**error, "batch_index": 0}]})

    assert isinstance(said, Outcomes)
    assert set(said.outcomes) == {Rejected("c-1", code, words), Delivered("c-2")}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (207, {}),
        (207, {"errors": []}),
        (207, {"errors": [{**WRONG, "batch_index": 2}]}),
        (207, {"errors": [{**WRONG, "batch_index": -1}]}),
        (207, {"errors": [{**WRONG, "batch_index": True}]}),
        (207, {"errors": [{**WRONG, "batch_index": "1"}]}),
        (207, {"errors": ["c-1"]}),
        (200, {"meta": {"error": "4711"}}),
        (200, []),
        (500, {}),
        (503, {}),
    ],
)
def test_an_answer_that_does_not_fit_the_call_is_believed_of_nobody(status: int, body: Any) -> None:
    said = reply(status, body)

    assert isinstance(said, NoAnswer)
    assert "4711" not in repr(said)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"errors": [{"reason": "invalid", "field": "batch", "message": "4711"}]}, Refused("refused", REFUSED)),
        (400, {"errors": [{"reason": "invalid", "field": "attributes.seats"}]}, Refused("invalid", SENTENCE)),
        (400, {}, Refused("refused", REFUSED)),
        (207, {"errors": [{"reason": "invalid", "message": "4711"}]}, Refused("refused", REFUSED)),
        (422, {"message": "4711"}, Refused("refused", REFUSED)),
        (
            413,
            {"message": "4711"},
            Refused("too_large", "the call is larger than Customer.io takes: shorten what is mapped"),
        ),
    ],
)
def test_a_refusal_that_names_nobody_is_halved_and_not_quoted(status: int, body: Any, expected: Refused) -> None:
    assert reply(status, body) == expected


@pytest.mark.parametrize(("headers", "wait"), [({}, None), ({"retry-after": "3"}, timedelta(seconds=3))])
def test_a_throttled_call_waits_as_long_as_it_is_told(headers: dict[str, str], wait: timedelta | None) -> None:
    assert reply(429, {}, headers) == Throttled(wait)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            401,
            (
                "Customer.io refuses the credential: put the site id and the API key of the workspace's Track API into "
                "`login` (401)"
            ),
        ),
        (403, "the credential may not write to the workspace: put the one of its Track API into `login` (403)"),
        (404, "there is no Track API at `url`: leave `url` out, or correct it (404)"),
        (
            307,
            "Customer.io sends the call to another region: write the region of the workspace into `region` (307)",
        ),
    ],
)
def test_a_call_that_may_not_be_made_ends_the_run_in_one_sentence_with_the_way_out(status: int, words: str) -> None:
    assert reply(status, {"meta": {"error": "Unauthorized request"}}) == Stop(f"http_{status}", words)


def test_a_bad_credential_stops_the_run_and_reaches_nobody(tmp_path: Path) -> None:
    api = workspace(tmp_path)

    ended = delivered(api, Op.UPSERT, TWO, login={**LOGIN, "password": "a-key-that-was-revoked"})

    assert ended.stop is not None
    assert "`login`" in ended.stop.message
    assert api.held() == {}


def test_a_check_says_where_the_workspace_is_and_writes_nobody(tmp_path: Path) -> None:
    api = workspace(tmp_path)

    assert checked(api) == "the credential works, and the workspace is in the region eu"
    assert [request.method for request in api.requests] == ["GET"]


def test_a_check_names_the_region_where_another_one_is_written(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="write `region: eu`"):
        checked(workspace(tmp_path), region="us")


def test_a_check_names_the_key_of_a_credential_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="into `login`"):
        checked(workspace(tmp_path), login={**LOGIN, "username": "another-site"})


@pytest.mark.parametrize("body", ["[]", "{}", '{"url": 1}', '{"url": "https://elsewhere.example"}', "<html>"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_check_tells_another_service_from_customer_io(status: int, body: str) -> None:
    with pytest.raises(CheckFailed, match="not the Track API"):
        checked(httpx.MockTransport(lambda _request: httpx.Response(status, text=body)))


def test_a_check_that_is_throttled_says_so() -> None:
    with pytest.raises(CheckFailed, match="fewer calls"):
        checked(httpx.MockTransport(lambda _request: httpx.Response(429)))
