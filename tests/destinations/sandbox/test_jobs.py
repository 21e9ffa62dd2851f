"""Batches that are submitted as jobs: applied once, when their job is run, and told of to whoever asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.destinations.sandbox.visitor import JSON, Visitor, upsert, visiting


def submitted(sandbox: Visitor, *records: dict[str, Any], key: str = "k1") -> httpx.Response:
    body = {"sync": "s", "object": "contacts", "plan": "p", "batch": 0, "records": list(records)}
    return sandbox.http.post("/jobs", content=json.dumps(body).encode(), headers={**JSON, "idempotency-key": key})


def job(sandbox: Visitor, *records: dict[str, Any], key: str = "k1") -> str:
    answer = submitted(sandbox, *records, key=key)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"])


def asked(sandbox: Visitor, job: str) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.http.get(f"/jobs/{job}").json()
    return found


def test_a_job_runs_and_then_ends_and_its_batch_is_applied_no_sooner(sandbox: Visitor) -> None:
    one = job(sandbox, upsert("a", name="Ada"))

    assert sandbox.held() == {}
    assert asked(sandbox, one) == {"state": "running"}
    assert sandbox.held() == {}
    assert asked(sandbox, one) == {"state": "ended"}
    assert sandbox.held() == {"a": {"name": "Ada"}}


def test_a_job_that_ended_says_the_same_to_whoever_asks_and_has_no_second_effect(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "reject", "ids": ["b"], "code": "blocked", "message": "not this one"})
    one = job(sandbox, upsert("a"), upsert("b"))
    sandbox.switch()

    ended = [asked(sandbox, one) for _ in range(4)][1:]

    assert ended == [ended[0]] * 3
    assert ended[0] == {
        "state": "ended",
        "results": [
            {"id": "a", "status": "delivered"},
            {"id": "b", "status": "rejected", "code": "blocked", "message": "not this one"},
        ],
    }
    assert sandbox.journal == [("k1", "a", "delivered"), ("k1", "b", "rejected")]


def test_one_key_is_one_job_and_another_body_under_it_is_a_conflict(sandbox: Visitor) -> None:
    first, again = job(sandbox, upsert("a")), job(sandbox, upsert("a"))
    other = job(sandbox, upsert("a"), key="k2")

    assert first == again != other
    assert submitted(sandbox, upsert("b")).status_code == 409
    assert sandbox.http.get("/jobs").json() == [
        {"job": first, "idempotency_key": "k1", "submitted": 2, "asked": 0, "has_run": False},
        {"job": other, "idempotency_key": "k2", "submitted": 1, "asked": 0, "has_run": False},
    ]


def test_a_key_that_was_answered_at_once_has_no_second_effect_as_a_job(sandbox: Visitor) -> None:
    sandbox.send(upsert("a"))
    one = job(sandbox, upsert("a"))

    assert [asked(sandbox, one)["state"] for _ in range(2)] == ["running", "ended"]
    assert sandbox.journal == [("k1", "a", "delivered")]
    assert submitted(sandbox, upsert("b")).status_code == 409


def test_jobs_outlive_the_process(tmp_path: Path) -> None:
    with visiting(tmp_path) as sandbox:
        one = job(sandbox, upsert("a", name="Ada"))
        asked(sandbox, one)
    with visiting(tmp_path) as sandbox:
        assert asked(sandbox, one) == {"state": "ended"}
        assert sandbox.held() == {"a": {"name": "Ada"}}


@pytest.mark.parametrize("unknown", ["1", "999999999999999", "x", "1/rows", "-1", ""])
def test_a_job_that_there_is_not_is_not_found(sandbox: Visitor, unknown: str) -> None:
    assert sandbox.http.get(f"/jobs/{unknown}").status_code == 404


def test_a_refused_batch_is_no_job(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "refuse", "ids": ["a"]})

    assert submitted(sandbox, upsert("a")).status_code == 400
    assert sandbox.http.get("/jobs").json() == []


@pytest.mark.parametrize(("kind", "kept"), [("error_before", 0), ("error_after", 1)])
def test_a_fault_meets_a_submission_and_no_question(sandbox: Visitor, kind: str, kept: int) -> None:
    one = job(sandbox, upsert("a"))
    sandbox.switch({"kind": kind, "count": 1})

    assert asked(sandbox, one) == {"state": "running"}
    assert submitted(sandbox, upsert("b"), key="k2").status_code >= 500
    assert len(sandbox.http.get("/jobs").json()) == 1 + kept
    assert sandbox.faults == []


def test_a_job_runs_for_as_many_questions_as_it_is_told_to_and_meets_no_batch(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "job_runs", "count": 3})
    one = job(sandbox, upsert("a"))
    assert sandbox.send(upsert("b"), key="k2").status_code == 200

    assert [asked(sandbox, one)["state"] for _ in range(4)] == ["running"] * 3 + ["ended"]
    assert sandbox.faults == []


def test_a_job_can_be_lost_and_found(sandbox: Visitor) -> None:
    one = job(sandbox, upsert("a"))
    sandbox.switch({"kind": "job_lost", "count": 2})

    assert [sandbox.http.get(f"/jobs/{one}").status_code for _ in range(3)] == [404, 404, 200]
