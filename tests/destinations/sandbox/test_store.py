"""The sandbox takes a batch once per idempotency key, keeps every digit, and writes down all that arrived."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.destinations.sandbox.visitor import Visitor, delete, other, upsert, visiting


def test_each_operation_has_its_effect(sandbox: Visitor) -> None:
    first = sandbox.send(upsert("1", a=1, b=2), other("insert", "2", a=1), upsert("3"), upsert("4"), key="k1")
    second = sandbox.send(
        upsert("1", b=None, c=3), other("update", "2", a=2), delete("3"), other("unsubscribe", "4"), key="k2"
    )

    assert (first.status_code, first.json()) == (200, {})
    assert (second.status_code, second.json()) == (200, {})
    assert sandbox.held() == {"1": {"a": 1, "b": None, "c": 3}, "2": {"a": 2}, "4": {"unsubscribed": True}}


def test_what_cannot_be_done_is_rejected_and_the_rest_is_applied(sandbox: Visitor) -> None:
    sandbox.send(upsert("1", a=1), key="k1")

    answer = sandbox.send(other("insert", "1", a=9), other("update", "2", a=9), upsert("3", a=3), delete("4"), key="k2")

    assert answer.status_code == 200
    assert [(result["id"], result["status"], result.get("code")) for result in answer.json()["results"]] == [
        ("1", "rejected", "exists"),
        ("2", "rejected", "not_found"),
        ("3", "delivered", None),
        ("4", "delivered", None),
    ]
    assert sandbox.held() == {"1": {"a": 1}, "3": {"a": 3}}


def test_a_batch_that_comes_again_has_no_second_effect_and_the_same_answer(sandbox: Visitor) -> None:
    """An insert shows it: done twice, the second would be rejected."""
    first = sandbox.send(other("insert", "1", a=1), other("update", "9"), key="k1")
    sandbox.send(upsert("1", a=2), key="k2")

    again = sandbox.send(other("insert", "1", a=1), other("update", "9"), key="k1")

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert sandbox.held() == {"1": {"a": 2}}
    assert sandbox.journal == [
        ("k1", "1", "delivered"),
        ("k1", "9", "rejected"),
        ("k2", "1", "delivered"),
        ("k1", "1", "repeated"),
        ("k1", "9", "repeated"),
    ]


@pytest.mark.parametrize("changed", [{"batch": 1}, {"plan": "q"}, {"object": "leads"}, {"records": [upsert("1", a=2)]}])
def test_a_key_that_comes_with_another_body_is_a_conflict_and_changes_nothing(
    sandbox: Visitor, changed: dict[str, object]
) -> None:
    sandbox.send(upsert("1", a=1))

    answer = sandbox.send(upsert("1", a=1), **changed)

    assert (answer.status_code, answer.json()["code"]) == (409, "key_reused")
    assert sandbox.held() == {"1": {"a": 1}}
    assert sandbox.journal == [("k1", "1", "delivered")]


def test_a_key_is_compared_by_the_bytes_of_the_body(sandbox: Visitor) -> None:
    body = b'{"sync":"s","object":"contacts","plan":"p","batch":0,"records":[{"op":"delete","id":"1","key":{"id":1}}]}'

    assert [sandbox.post(content).status_code for content in (body, body, body + b" ")] == [200, 200, 409]


def test_one_key_sent_by_many_at_once_is_applied_once(sandbox: Visitor) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sandbox.send(other("insert", "1", a=1)), range(24)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, b"{}")}
    assert sorted(outcome for _, _, outcome in sandbox.journal) == ["delivered", *["repeated"] * 23]


def test_many_batches_at_once_are_all_taken(sandbox: Visitor) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sandbox.send(*(upsert(f"{n}-{i}") for i in range(5)), key=f"k{n}"), range(40)))

    assert len(sandbox.held()) == 200
    keys = [key for key, _, _ in sandbox.journal]
    assert keys == [key for key in dict.fromkeys(keys) for _ in range(5)], "the journal keeps a batch together"


@pytest.mark.parametrize(
    "value",
    [
        "null",
        "1.10",
        "1E+2",
        "-0.0",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "0.1000000000000000055511151231257827",
        '"\\u0000"',
        '"café 😀 \u202e"',
        '{"a":[1,{"b":[]}]}',
    ],
)
def test_a_value_comes_back_with_every_digit(sandbox: Visitor, value: str) -> None:
    record = f'{{"op":"upsert","id":"1","key":{{"k":{value}}},"fields":{{"f":{value}}}}}'
    head = '{"sync":"s","object":"contacts","plan":"p","batch":0,"records":['

    assert sandbox.post(f"{head}{record}]}}".encode()).status_code == 200
    assert (
        sandbox.http.get("/objects/contacts").text == f'[{{"id":"1","key":{{"k":{value}}},"fields":{{"f":{value}}}}}]'
    )


def test_objects_are_apart_and_any_text_names_one(sandbox: Visitor) -> None:
    names = ["contacts", "a b?c#d&e=f", "日本", "100%25", "'; DROP TABLE record --", "\x00"]
    for place, name in enumerate(names):
        sandbox.send(upsert("1", place=place), key=f"k{place}", object=name)

    assert sandbox.http.get("/objects").json() == dict.fromkeys(names, 1)
    for place, name in enumerate(names):
        quoted = "".join(f"%{byte:02x}" for byte in name.encode())
        assert sandbox.held(quoted) == {"1": {"place": place}}


def test_an_object_that_nobody_wrote_to_is_empty(sandbox: Visitor) -> None:
    assert sandbox.http.get("/objects").json() == {}
    assert sandbox.http.get("/objects/nothing").json() == []
    assert sandbox.journal == []


def test_the_journal_tells_what_came_under_which_name(sandbox: Visitor) -> None:
    sandbox.send(upsert("1"), delete("2"), key="key-7", sync="people", object="leads", plan="plan-9", batch=3)

    common = {"idempotency_key": "key-7", "sync": "people", "object": "leads", "plan": "plan-9", "batch": 3}
    assert sandbox.http.get("/journal").json() == [
        {"order": 1, **common, "op": "upsert", "id": "1", "outcome": "delivered"},
        {"order": 2, **common, "op": "delete", "id": "2", "outcome": "delivered"},
    ]


def test_a_long_list_is_whole(sandbox: Visitor) -> None:
    """It is sent in pieces; their edges must not show."""
    for start in range(0, 2_000, 500):
        sandbox.send(*(upsert(f"{n:05}", n=n) for n in range(start, start + 500)), key=f"k{start}")

    assert sandbox.held() == {f"{n:05}": {"n": n} for n in range(2_000)}
    assert len(sandbox.journal) == 2_000


def test_a_store_is_as_it_was_after_the_sandbox_starts_again(tmp_path: Path) -> None:
    with visiting(tmp_path) as sandbox:
        answer = sandbox.send(other("insert", "1", a=1), other("update", "2"), key="k1")
        held, journal = sandbox.held(), sandbox.journal
        sandbox.switch({"kind": "drop_before"})

    with visiting(tmp_path) as again:
        assert (again.held(), again.journal) == (held, journal)
        assert again.send(other("insert", "1", a=1), other("update", "2"), key="k1").content == answer.content
        assert again.faults == [], "faults are not kept"


def test_two_sandboxes_may_share_a_store(tmp_path: Path) -> None:
    with visiting(tmp_path) as one, visiting(tmp_path) as two:
        assert one.send(upsert("1", a=1)).content == two.send(upsert("1", a=1)).content
        assert one.journal == two.journal == [("k1", "1", "delivered"), ("k1", "1", "repeated")]


@pytest.mark.parametrize("depth", [100, 240])
def test_a_value_may_be_nested_as_deeply_as_json_is_usually_read(sandbox: Visitor, depth: int) -> None:
    value = json.loads('{"d":' * depth + "1" + "}" * depth)

    assert sandbox.send(upsert("1", deep=value)).status_code == 200
    assert sandbox.held() == {"1": {"deep": value}}


@pytest.mark.parametrize("depth", [300, 900, 2_000, 200_000])
def test_a_value_that_is_nested_too_deeply_is_refused_and_nothing_is_kept(sandbox: Visitor, depth: int) -> None:
    record = '{"op":"upsert","id":"1","key":{"k":1},"fields":{"f":' + "[" * depth + "]" * depth + "}}"
    body = f'{{"sync":"s","object":"contacts","plan":"p","batch":0,"records":[{record}]}}'

    assert sandbox.post(body.encode()).status_code == 400
    assert (sandbox.held(), sandbox.journal) == ({}, [])
