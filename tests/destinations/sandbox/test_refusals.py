"""What the sandbox does not take: bodies outside the protocol or its limits, keys that are none, and foreign names."""

from __future__ import annotations

import json

import pytest

from destinations.sandbox.batch import BODY_BYTES_MAX, ID_LENGTH_MAX, NAME_LENGTH_MAX, RECORDS_MAX
from tests.destinations.sandbox.visitor import JSON, Visitor, delete, upsert


@pytest.mark.parametrize("records", [0, RECORDS_MAX + 1])
def test_a_batch_holds_from_one_record_to_its_most(sandbox: Visitor, records: int) -> None:
    assert sandbox.send(*(upsert(str(n)) for n in range(records))).status_code in {400, 413}
    assert sandbox.send(*(upsert(str(n)) for n in range(RECORDS_MAX))).status_code == 200


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"records": None}, "not_a_batch"),
        ({"records": {}}, "not_a_batch"),
        ({"records": [1]}, "not_a_record"),
        ({"records": [{**upsert("1"), "op": "merge"}]}, "unknown_op"),
        ({"records": [{**upsert("1"), "op": None}]}, "unknown_op"),
        ({"records": [{**upsert("1"), "id": 1}]}, "not_a_record"),
        ({"records": [{**upsert("1"), "id": "x" * (ID_LENGTH_MAX + 1)}]}, "not_a_record"),
        ({"records": [{**upsert("1"), "key": {}}]}, "not_a_record"),
        ({"records": [{**upsert("1"), "key": "1"}]}, "not_a_record"),
        ({"records": [{**upsert("1"), "fields": None}]}, "not_a_record"),
        ({"records": [{**upsert("1"), "fields": []}]}, "not_a_record"),
        ({"records": [upsert("1"), delete("1")]}, "repeated_id"),
        ({"sync": None}, "not_a_batch"),
        ({"sync": ""}, "not_a_batch"),
        ({"object": "x" * (NAME_LENGTH_MAX + 1)}, "not_a_batch"),
        ({"plan": 7}, "not_a_batch"),
        ({"batch": -1}, "not_a_batch"),
        ({"batch": "0"}, "not_a_batch"),
        ({"batch": True}, "not_a_batch"),
        ({"batch": 1.0}, "not_a_batch"),
        ({"batch": 10**400}, "not_json"),
    ],
    ids=lambda over: str(over)[:50],
)
def test_a_body_that_is_not_the_protocol_is_refused_and_nothing_is_kept(
    sandbox: Visitor, over: dict[str, object], code: str
) -> None:
    answer = sandbox.send(upsert("1", secret="value-4711"), **over)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert "4711" not in answer.text
    assert (sandbox.held(), sandbox.journal) == ({}, [])


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"NaN", b'"\\ud800"', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"<html>", b"[" * 100_000],
)
def test_a_body_that_is_not_a_json_object_is_refused(sandbox: Visitor, content: bytes) -> None:
    assert sandbox.post(content).status_code == 400
    assert sandbox.send(upsert("well"), key="well").status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "tab\tbed", "é"])
def test_a_batch_needs_a_plain_idempotency_key(sandbox: Visitor, key: str) -> None:
    headers = {**JSON, "idempotency-key": key.encode("latin-1")}
    body = {"sync": "s", "object": "o", "plan": "p", "batch": 0, "records": [upsert("1")]}

    answer = sandbox.http.post("/batches", content=json.dumps(body), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "no_key")
    assert sandbox.journal == []


def test_a_body_may_have_its_most_bytes_and_not_one_more(sandbox: Visitor) -> None:
    blank = json.dumps({"sync": "s", "object": "o", "plan": "p", "batch": 0, "records": [upsert("1", f="")]}).encode()
    room = BODY_BYTES_MAX - len(blank)

    most = sandbox.post(blank.replace(b'"f": ""', b'"f": "' + b"x" * room + b'"'), key="most")
    more = sandbox.post(b" " * (BODY_BYTES_MAX + 1), key="more")

    assert (most.status_code, more.status_code) == (200, 413)
    assert sandbox.send(upsert("well"), key="well").status_code == 200


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nothing", "GET", 404),
        ("/objects/", "GET", 404),
        ("/objects/a/b", "GET", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", "GET", 404),
        ("/%ff", "GET", 400),
        ("/batches", "GET", 405),
        ("/journal", "DELETE", 405),
        ("/objects", "POST", 405),
        ("/", "POST", 405),
        ("/batches", "OPTIONS", 405),
    ],
)
def test_an_address_or_method_that_is_none_is_said_to_be_none(
    sandbox: Visitor, path: str, method: str, status: int
) -> None:
    answer = sandbox.http.request(method, path, content=b"" if method == "POST" else None)

    assert answer.status_code == status
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1", "[", ""],
)
def test_a_foreign_host_is_refused_at_every_address(sandbox: Visitor, host: str) -> None:
    """A page whose own name was made to mean this machine sends that name, and must read nothing."""
    sandbox.send(upsert("1", secret="value-4711"))

    paths = ("/", "/health", "/objects", "/objects/contacts", "/journal", "/faults", "/nothing")
    answers = {path: sandbox.http.get(path, headers={"host": host}) for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(
        paths, 400 if host == "[" else 403
    )
    assert not any("4711" in answer.text for answer in answers.values())


def test_a_foreign_host_can_send_and_switch_nothing(sandbox: Visitor) -> None:
    headers = {**JSON, "host": "evil.example", "idempotency-key": "k1"}
    body = json.dumps({"sync": "s", "object": "o", "plan": "p", "batch": 0, "records": [upsert("1")]})

    assert sandbox.http.post("/batches", content=body, headers=headers).status_code == 403
    assert sandbox.http.put("/faults", json={"faults": [{"kind": "throttle"}]}, headers=headers).status_code == 403
    assert (sandbox.journal, sandbox.faults) == ([], [])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8765", "[::1]:80"])
def test_a_name_of_this_machine_is_served(sandbox: Visitor, host: str) -> None:
    assert sandbox.http.get("/health", headers={"host": host}).json()["status"] == "ok"
