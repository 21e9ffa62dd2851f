"""The main job through the public door: files, the command, real HTTP; the end state is what counts."""

from __future__ import annotations

import json
import signal
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.failpoints import VARIABLE
from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver


@pytest.mark.slow
def test_a_first_run_delivers_every_row_and_the_second_only_the_difference(
    project: TestProject, receiver: Receiver
) -> None:
    first = project.report()
    assert (first["status"], first["exit"], first["version"]) == ("succeeded", 0, 1)
    assert first["delivered"] == {"inserts": 3, "updates": 0, "deletes": 0}
    assert receiver.records == {
        "1": {"name": "Ada", "score": 1.5},
        "2": {"name": "Bo", "score": None},
        "3": {"name": None, "score": 0.1},
    }

    project.people({1: ("Ada", 1.5), 2: ("Bob", None), 4: ("Di", 4.0)})
    second = project.report()
    assert second["delivered"] == {"inserts": 1, "updates": 1, "deletes": 1}
    assert second["plan"]["unchanged"] == 1
    assert receiver.records == {
        "1": {"name": "Ada", "score": 1.5},
        "2": {"name": "Bob", "score": None},
        "4": {"name": "Di", "score": 4.0},
    }


def test_equal_input_is_unchanged_makes_no_version_and_sends_no_request(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    before = receiver.requests
    again = project.report()
    assert (again["status"], again["exit"], again["version"], again["requests"]) == ("unchanged", 0, 1, 0)
    assert (again["plan"]["unchanged"], again["plan"]["withheld"]) == (3, 0), "what is held as it should be"
    assert project.run("--json", "plan", "people_to_hook").json["plan"]["unchanged"] == 3
    assert receiver.requests == before
    assert [v["version"] for v in project.run("--json", "versions", "people").json] == [1]


def test_rows_in_another_order_and_encoding_are_equal_input(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    table = pq.read_table(project.folder / "data" / "people.parquet")
    shuffled = table.take([2, 0, 1]).set_column(1, "name", table.take([2, 0, 1])["name"].dictionary_encode())
    pq.write_table(shuffled, project.folder / "data" / "people.parquet", compression="none", row_group_size=1)
    assert project.report()["status"] == "unchanged"
    assert receiver.requests == 1


def test_nan_is_null_and_negative_zero_is_zero_so_neither_makes_an_update(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({1: ("a", float("nan")), 2: ("b", -0.0)})
    project.report()
    assert receiver.records["1"]["score"] is None
    project.people({1: ("a", None), 2: ("b", 0.0)})
    assert project.report()["status"] == "unchanged"


def test_null_and_empty_text_and_unicode_forms_are_different_values(project: TestProject, receiver: Receiver) -> None:
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    project.people({1: (None, 1.0), 2: (composed, 1.0)})
    project.report()
    project.people({1: ("", 1.0), 2: (decomposed, 1.0)})
    assert project.report()["delivered"]["updates"] == 2
    assert receiver.records["1"]["name"] == ""
    assert receiver.records["2"]["name"] == decomposed


@pytest.mark.slow
def test_a_change_of_an_unmapped_column_makes_a_version_and_sends_nothing(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", fields={"name": "name"})
    project.report()
    project.people({1: ("Ada", 99.0), 2: ("Bo", None), 3: (None, 0.1)})
    report = project.report()
    assert (report["status"], report["version"], report["requests"]) == ("unchanged", 2, 0)
    assert project.report()["version"] == 2


def test_a_changed_mapping_compares_everything_and_sends_only_what_it_changes(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", fields={"name": "name"})
    project.report()
    project.sync("people_to_hook", fields={"name": "name", "score": {"from": "score", "on_null": "skip"}})
    report = project.report()
    assert report["plan"]["comparison"] == "full"
    assert report["plan"]["reason"] == "the mapping changed"
    assert report["delivered"] == {"inserts": 0, "updates": 2, "deletes": 0}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["upsert", "insert", "update"])
def test_only_mirror_deletes(project: TestProject, receiver: Receiver, mode: str) -> None:
    project.sync("people_to_hook", mode=mode)
    project.report()
    project.people({1: ("Ada", 1.5)})
    report = project.report()
    assert report["delivered"]["deletes"] == 0
    assert set(receiver.records) == {"1", "2", "3"}


@pytest.mark.slow
def test_mirror_deletes_only_what_this_sync_delivered(project: TestProject, receiver: Receiver) -> None:
    receiver.records["77"] = {"name": "somebody else's"}
    project.report()
    project.people({1: ("Ada", 1.5)})
    project.report()
    assert set(receiver.records) == {"1", "77"}


@pytest.mark.slow
def test_a_record_that_another_row_took_over_as_it_was_is_deleted_when_that_row_leaves(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", match={"external_id": "name"}, fields={"score": "score"})
    for rows in ({1: ("a", 1.0)}, {1: (None, 1.0), 2: ("a", 1.0)}, {1: (None, 1.0), 3: ("b", 1.0)}):
        project.people(rows)
        project.report()
    assert set(receiver.records) == {"b"}


@pytest.mark.slow
def test_a_flip_back_to_an_earlier_value_is_delivered_although_the_same_rows_left_before(
    project: TestProject, receiver: Receiver
) -> None:
    for name in ("a", "b", "a", "b", "a"):
        project.people({1: (name, 1.0)})
        project.report()
        assert receiver.records["1"]["name"] == name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_it", "status", "cause"),
    [
        (lambda p: p.people({}), "blocked", "no rows"),
        (
            lambda p: p.data(pa.table({"id": pa.array([1, 1, 2]), "name": ["a", "b", "c"], "score": [1.0, 2.0, 3.0]})),
            "blocked",
            "not unique",
        ),
        (
            lambda p: p.data(
                pa.table({"id": pa.array([1, None, 2]), "name": ["a", "b", "c"], "score": [1.0, 2.0, 3.0]})
            ),
            "blocked",
            "null",
        ),
        (lambda p: p.data(pa.table({"id": pa.array([1, 2, 3]), "name": ["a", "b", "c"]})), "blocked", "score"),
        (lambda p: p.data(pa.table({"id": ["1", "2"], "name": ["a", "b"], "score": [1.0, 2.0]})), "blocked", "id"),
        (lambda p: p.people({1: ("a", float("inf"))}), "blocked", "score"),
        (lambda p: _truncate(p.folder / "data" / "people.parquet"), "failed", "people.parquet"),
        (lambda p: (p.folder / "data" / "people.parquet").unlink(), "failed", "people.parquet"),
    ],
    ids=["empty", "duplicate key", "null key", "dropped column", "key type", "infinity", "truncated", "missing"],
)
def test_a_bad_source_is_named_sends_nothing_and_leaves_the_version_before_current(
    project: TestProject, receiver: Receiver, break_it: object, status: str, cause: str
) -> None:
    project.given.report()
    held, requests = dict(receiver.records), receiver.requests
    break_it(project)  # type: ignore[operator]
    report = project.report()
    assert report["status"] == status, report
    assert report["exit"] == {"blocked": 3, "failed": 1}[status]
    assert cause in report["reason"]
    assert (receiver.records, receiver.requests) == (held, requests)
    assert [v["version"] for v in project.run("--json", "versions", "people").json] == [1]

    project.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    assert project.report()["status"] == "unchanged"


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.slow
def test_a_rejected_record_makes_the_run_partial_and_the_others_arrive(
    project: TestProject, receiver: Receiver
) -> None:
    receiver.answer = lambda body: (400, {}, b"bad record") if any(r["id"] == "2" for r in body["records"]) else None
    report = project.report()
    assert (report["status"], report["exit"], report["rejected"]) == ("partial", 5, 1)
    assert report["delivered"]["inserts"] == 2
    assert set(receiver.records) == {"1", "3"}

    receiver.answer = lambda _body: None
    again = project.report()
    assert (again["status"], again["delivered"]["inserts"]) == ("succeeded", 1)
    assert set(receiver.records) == {"1", "2", "3"}
    assert project.report()["status"] == "unchanged"


@pytest.mark.slow
def test_what_is_owed_is_sent_with_what_changed_in_several_versions_as_it_is_now(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({1: ("Ada", 1.0), 2: ("Bo", 2.0), 3: ("Cy", 3.0)})
    receiver.answer = lambda body: (400, {}, b"bad record") if any(r["id"] == "2" for r in body["records"]) else None
    project.report()
    receiver.answer = lambda _body: None
    for version in ({1: ("Ann", 1.0), 2: ("Bo", 2.0), 4: ("Di", 4.0)}, {1: ("Eve", 1.0), 2: ("Bo", 2.0)}):
        project.people(version)
        assert project.run("capture", "people").code == 0

    report = project.report()

    assert (report["status"], report["plan"]["comparison"]) == ("succeeded", "incremental")
    assert receiver.records == {"1": {"name": "Eve", "score": 1.0}, "2": {"name": "Bo", "score": 2.0}}


def test_a_throttled_call_waits_as_long_as_it_was_asked(project: TestProject, receiver: Receiver) -> None:
    asked: list[object] = []

    def throttle(body: object) -> tuple[int, dict[str, str], bytes] | None:
        asked.append(body)
        return (429, {"retry-after": "1"}, b"") if len(asked) == 1 else None

    receiver.answer = throttle
    report = project.report()
    assert (report["status"], report["requests"]) == ("succeeded", 2)
    assert report["seconds"]["deliver"] >= 1.0


@pytest.mark.slow
def test_a_refused_credential_stops_the_run_with_one_call_and_owes_everything(
    project: TestProject, receiver: Receiver
) -> None:
    receiver.answer = lambda _body: (401, {}, b"")
    report = project.report()
    assert (report["status"], report["exit"], report["requests"]) == ("failed", 1, 1)
    assert report["failed"] == 3
    receiver.answer = lambda _body: None
    assert project.report()["delivered"]["inserts"] == 3
    assert project.report()["status"] == "unchanged"


@pytest.mark.slow
def test_a_preview_shows_what_the_run_then_does_and_changes_nothing(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    project.people({1: ("Ada", 2.5), 2: ("Bo", None), 9: ("Nine", 9.0)})
    preview = project.run("--json", "plan", "people_to_hook").json
    assert receiver.requests == 1
    assert [v["version"] for v in project.run("--json", "versions", "people").json] == [1]
    report = project.report()
    numbers = ("inserts", "updates", "deletes", "unchanged", "withheld", "digest")
    assert {k: preview["plan"][k] for k in numbers} == {k: report["plan"][k] for k in numbers}


def test_a_key_type_change_of_the_contract_is_refused_with_the_reason(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    table = {"name": "people", "properties": [{**p} for p in CONTRACT["schema"][0]["properties"]]}
    table["properties"][0]["logicalType"] = "string"
    project.write("contracts/people-v1.odcs.yaml", {**CONTRACT, "schema": [table]})
    project.data(pa.table({"id": ["1", "2", "3"], "name": ["a", "b", "c"], "score": [1.0, 2.0, 3.0]}))
    report = project.report()
    assert report["status"] == "blocked"
    assert "primary key" in report["reason"]
    assert receiver.requests == 1


@pytest.mark.slow
def test_a_destination_that_does_not_answer_is_left_alone_by_the_next_run_and_served_when_it_is_back(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({i: (f"p{i}", None) for i in range(40)})
    project.destination("hook", receiver.url, batch={"records": 2})
    receiver.answer = lambda _body: (503, {}, b"")

    first = project.report()
    asked = len(receiver.journal)
    second = project.report()

    assert (first["status"], first["exit"]) == ("failed", 1)
    assert asked <= 40, "an outage is not multiplied by retries"
    assert (second["status"], second["exit"], len(receiver.journal)) == ("paused", 1, asked)
    assert "hook" in second["reason"]

    receiver.answer = lambda _body: None
    answered(project)
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 40


def answered(project: TestProject) -> None:
    """The circuit's time passes."""
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE rate_budget SET probe_at = 0, probing_until = 0")


@pytest.mark.slow
def test_a_record_that_is_rejected_after_a_send_of_unknown_effect_is_in_doubt_and_sent_again(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({1: ("before", 1.0)})
    assert project.report()["status"] == "succeeded"
    project.people({1: ("after", 1.0)})
    died = project.run_process("run", "people_to_hook", env={VARIABLE: "window.before_receipt=kill"})
    assert died.code == -signal.SIGKILL
    assert receiver.records["1"]["name"] == "after"

    rejected = {"results": [{"id": "1", "status": "rejected", "code": "x", "message": "not now"}]}
    receiver.answer = lambda _body: (200, {}, json.dumps(rejected).encode())
    assert project.report()["status"] == "partial"
    receiver.answer = lambda _body: None
    project.people({1: ("before", 1.0)})

    assert project.report()["status"] == "succeeded"
    assert receiver.records["1"]["name"] == "before"
