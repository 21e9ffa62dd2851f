"""Each fault does what its name says, to as many batches as it was asked for, and to nothing else."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.destinations.sandbox.visitor import JSON, Visitor, delete, other, upsert

BEFORE = [
    ({"kind": "throttle"}, 429),
    ({"kind": "throttle", "retry_after": 30}, 429),
    ({"kind": "error_before"}, 503),
    ({"kind": "error_before", "status": 599}, 599),
    ({"kind": "drop_before"}, None),
]
AFTER = [
    ({"kind": "error_after"}, 500),
    ({"kind": "error_after", "status": 504}, 504),
    ({"kind": "drop_after"}, None),
    ({"kind": "slow", "seconds": 0.05}, 200),
    ({"kind": "malformed"}, 200),
]


def status(sandbox: Visitor, *records: dict[str, Any], key: str = "k1") -> int | None:
    """The status of an answer; None when the connection was closed without one."""
    try:
        return sandbox.send(*records, key=key).status_code
    except httpx.RemoteProtocolError:
        return None


@pytest.mark.parametrize(("fault", "expected"), BEFORE)
def test_a_fault_before_the_commit_leaves_no_trace_and_the_key_free(
    sandbox: Visitor, fault: dict[str, Any], expected: int | None
) -> None:
    sandbox.switch({**fault, "count": 1})

    assert status(sandbox, upsert("1", a=1)) == expected
    assert (sandbox.held(), sandbox.journal) == ({}, [])
    assert sandbox.send(upsert("1", a=2)).status_code == 200, "the key is not taken, not even for another body"
    assert sandbox.held() == {"1": {"a": 2}}


@pytest.mark.parametrize(("fault", "expected"), AFTER)
def test_a_fault_after_the_commit_hides_a_batch_that_was_applied(
    sandbox: Visitor, fault: dict[str, Any], expected: int | None
) -> None:
    sandbox.switch({**fault, "count": 1})

    assert status(sandbox, other("insert", "1", a=1)) == expected
    assert sandbox.held() == {"1": {"a": 1}}
    again = sandbox.send(other("insert", "1", a=1))
    assert (again.status_code, again.content) == (200, b"{}")
    assert sandbox.journal == [("k1", "1", "delivered"), ("k1", "1", "repeated")]


@pytest.mark.parametrize(
    ("given", "header"), [({}, "1"), ({"retry_after": 0}, "0"), ({"retry_after": 86_400}, "86400")]
)
def test_a_throttle_says_when_to_come_again(sandbox: Visitor, given: dict[str, Any], header: str) -> None:
    sandbox.switch({"kind": "throttle", **given})

    assert sandbox.send(upsert("1")).headers["retry-after"] == header


def test_a_throttle_may_keep_silent_about_when(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "throttle", "retry_after": None})

    assert "retry-after" not in sandbox.send(upsert("1")).headers


def test_a_slow_answer_comes_late_and_the_batch_is_there_before(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "slow", "seconds": 0.2})
    began = time.monotonic()

    assert sandbox.send(upsert("1", a=1)).status_code == 200

    assert time.monotonic() - began >= 0.2


def test_a_malformed_answer_is_a_success_that_is_not_json(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "malformed"})

    answer = sandbox.send(upsert("1"))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_records_are_rejected_by_id_with_a_code_and_a_message(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "reject", "ids": ["2", "9"], "code": "blocked", "message": "not this one"})

    answer = sandbox.send(upsert("1", a=1), upsert("2", a=2))

    assert answer.json()["results"] == [
        {"id": "1", "status": "delivered"},
        {"id": "2", "status": "rejected", "code": "blocked", "message": "not this one"},
    ]
    assert sandbox.held() == {"1": {"a": 1}}
    assert sandbox.journal == [("k1", "1", "delivered"), ("k1", "2", "rejected")]


@pytest.mark.parametrize(
    ("equals", "rejected"),
    [
        ("1", ["text"]),
        (1, ["whole", "decimal"]),
        (1.0, ["whole", "decimal"]),
        (True, ["true"]),
        (None, ["null"]),
        (2, []),
    ],
)
def test_records_are_rejected_by_the_value_of_a_field_and_its_kind(
    sandbox: Visitor, equals: object, rejected: list[str]
) -> None:
    values = {"text": "1", "whole": 1, "decimal": 1.0, "true": True, "null": None}
    sandbox.switch({"kind": "reject", "field": "f", "equals": equals})

    sandbox.send(*(upsert(id, f=value) for id, value in values.items()), upsert("none"), delete("gone"))

    assert [id for _, id, outcome in sandbox.journal if outcome == "rejected"] == rejected


def test_a_batch_with_a_poison_record_is_refused_whole_without_saying_which(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "refuse", "ids": ["2"], "message": "a row is bad"})

    answer = sandbox.send(upsert("1"), upsert("2"), upsert("3"))

    assert (answer.status_code, answer.json()) == (400, {"code": "refused", "message": "a row is bad"})
    assert sandbox.held() == {}
    assert {outcome for _, _, outcome in sandbox.journal} == {"refused"}
    assert sandbox.send(upsert("1"), upsert("3")).status_code == 200, "its key is still free"


def test_a_batch_that_was_taken_keeps_its_answer_whatever_would_be_refused_today(sandbox: Visitor) -> None:
    first = sandbox.send(upsert("1"))
    sandbox.switch({"kind": "refuse", "ids": ["1"]}, {"kind": "reject", "ids": ["1"]})

    again = sandbox.send(upsert("1"))

    assert (again.status_code, again.content) == (200, first.content)


def test_a_fault_meets_as_many_batches_as_it_counts(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "error_before", "count": 2})

    assert [status(sandbox, upsert("1"), key=f"k{n}") for n in range(4)] == [503, 503, 200, 200]
    assert sandbox.faults == []


def test_disturbances_meet_batches_one_after_the_other_in_their_order(sandbox: Visitor) -> None:
    sandbox.switch(
        {"kind": "error_before", "count": 1}, {"kind": "drop_after", "count": 1}, {"kind": "throttle", "count": 1}
    )

    assert [status(sandbox, upsert("1"), key=f"k{n}") for n in range(4)] == [503, None, 429, 200]


def test_a_rule_waits_for_a_record_that_it_is_about(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "reject", "ids": ["2"], "count": 1}, {"kind": "refuse", "ids": ["3"], "count": 1})

    assert [status(sandbox, upsert(id), key=f"k{n}") for n, id in enumerate("1231")] == [200, 200, 400, 200]
    assert sandbox.faults == []


def test_a_rule_is_not_used_up_by_a_call_that_ends_before_the_commit(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "drop_before", "count": 1}, {"kind": "reject", "ids": ["1"], "count": 1})

    assert status(sandbox, upsert("1")) is None
    assert [fault["kind"] for fault in sandbox.faults] == ["reject"]


def test_a_rule_and_a_fault_after_the_commit_hold_together(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "error_after", "count": 1}, {"kind": "reject", "ids": ["2"]})

    assert status(sandbox, upsert("1", a=1), upsert("2")) == 500
    assert sandbox.held() == {"1": {"a": 1}}
    assert [result["status"] for result in sandbox.send(upsert("1", a=1), upsert("2")).json()["results"]] == [
        "delivered",
        "rejected",
    ]


@pytest.mark.parametrize("path", ["/", "/health", "/objects", "/objects/contacts", "/journal", "/faults"])
def test_faults_meet_batches_only(sandbox: Visitor, path: str) -> None:
    sandbox.switch({"kind": "drop_before", "count": 1})

    assert sandbox.http.get(path).status_code == 200
    assert len(sandbox.faults) == 1


def test_a_batch_that_cannot_be_read_uses_up_no_fault(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "throttle", "count": 1})

    assert sandbox.post(b"{").status_code == 400
    assert len(sandbox.faults) == 1


def test_faults_can_be_read_replaced_and_cleared(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "throttle"}, {"kind": "reject", "field": "n", "equals": 9223372036854775807, "count": 3})
    assert [(fault["kind"], fault["count"]) for fault in sandbox.faults] == [("throttle", None), ("reject", 3)]
    assert sandbox.faults[1]["equals"] == 9223372036854775807

    sandbox.switch({"kind": "malformed"})
    assert [fault["kind"] for fault in sandbox.faults] == ["malformed"]

    assert sandbox.http.delete("/faults").json() == {"faults": []}
    assert sandbox.send(upsert("1")).content == b"{}"


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "explode"},
        {"kind": "throttle", "retry_after": -1},
        {"kind": "throttle", "retry_after": 86_401},
        {"kind": "throttle", "retry_after": True},
        {"kind": "throttle", "count": 0},
        {"kind": "throttle", "count": "1"},
        {"kind": "throttle", "seconds": 1},
        {"kind": "error_before", "status": 404},
        {"kind": "error_after", "status": 600},
        {"kind": "slow"},
        {"kind": "slow", "seconds": 0},
        {"kind": "slow", "seconds": 301},
        {"kind": "reject"},
        {"kind": "reject", "ids": ["1"], "field": "f", "equals": 1},
        {"kind": "reject", "field": "f"},
        {"kind": "reject", "ids": [1]},
        {"kind": "refuse"},
        {"kind": "refuse", "ids": []},
    ],
    ids=json.dumps,
)
def test_a_fault_that_is_none_is_refused_and_the_others_stay(sandbox: Visitor, fault: dict[str, Any]) -> None:
    sandbox.switch({"kind": "malformed"})

    answer = sandbox.http.put("/faults", json={"faults": [{"kind": "throttle"}, fault]})

    assert (answer.status_code, answer.json()["code"]) == (400, "not_faults")
    assert answer.json()["message"].startswith("faults.1")
    assert [kept["kind"] for kept in sandbox.faults] == ["malformed"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"NaN", b'{"faults": [{"kind": "slow", "seconds": 1e400}]}', b"[]", b'{"fault": []}', b"null"],
)
def test_a_body_that_holds_no_faults_is_refused(sandbox: Visitor, content: bytes) -> None:
    assert sandbox.http.put("/faults", content=content, headers=JSON).status_code == 400


def test_at_most_a_hundred_faults_are_taken(sandbox: Visitor) -> None:
    sandbox.switch(*[{"kind": "throttle"}] * 100)

    assert sandbox.http.put("/faults", json={"faults": [{"kind": "throttle"}] * 101}).status_code == 400


def test_another_sites_form_cannot_switch_faults(sandbox: Visitor) -> None:
    """A page may post a form without asking first, and a form is never ``application/json``."""
    content = b'{"faults": [{"kind": "throttle"}]}'

    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert sandbox.http.put("/faults", content=content, headers={"content-type": media}).status_code == 415
        assert sandbox.http.post("/batches", content=content, headers={"content-type": media}).status_code == 415
    assert sandbox.faults == []
