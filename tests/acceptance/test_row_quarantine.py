"""Rows that a rule sets aside are no part of what may be sent; what was delivered of them stays, and they come back."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.acceptance.test_consent import REGISTER, decide, granted, withdrawn
from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

Rows = dict[int, tuple[str | None, float | None]]
GOOD: Rows = {n: (f"p{n}", float(n)) for n in range(1, 11)}
ONE_BAD: Rows = {**GOOD, 1: (None, 99.0)}
ASIDE = {"property": "tidegate.quarantine", "value": True}
NULLS = {"metric": "nullValues", "mustBe": 0, "name": "names are known", "customProperties": [ASIDE]}


def contract(
    project: TestProject,
    *rules: dict[str, Any],
    ratio: float | None = 0.5,
    column: dict[str, Any] | None = None,
    table: tuple[dict[str, Any], ...] = (),
) -> None:
    """Give the column ``name`` these rules, and the table the share of rows that may be set aside."""
    written = copy.deepcopy(CONTRACT)
    written["schema"][0]["properties"][1] |= {"quality": list(rules), **(column or {})}
    share = () if ratio is None else ({"property": "tidegate.quarantineMaxRatio", "value": ratio},)
    written["schema"][0]["customProperties"] = [*share, *table]
    project.write("contracts/people-v1.odcs.yaml", written)


@pytest.fixture(autouse=True)
def quarantining(project: TestProject) -> None:
    contract(project, NULLS)


def version(project: TestProject) -> dict[str, Any]:
    newest: dict[str, Any] = project.run("--json", "versions", "people").json[-1]
    return newest


def segments(project: TestProject) -> list[Path]:
    return sorted((project.folder / ".tidegate/segments/datasets/people@1/versions").glob("*-quarantine-*.parquet"))


def delivered(project: TestProject, rows: Rows) -> dict[str, Any]:
    project.people(rows)
    report = project.report()
    assert report["status"] in {"succeeded", "unchanged"}, report
    return report


def test_a_bad_row_is_left_out_and_counted_and_the_others_are_sent(project: TestProject, receiver: Receiver) -> None:
    report = delivered(project, ONE_BAD)
    assert set(receiver.records) == {str(n) for n in range(2, 11)}
    plan = report["plan"]
    assert (plan["inserts"], plan["withheld"], plan["quarantined"], plan["unchanged"]) == (9, 1, 1, 0)
    assert (version(project)["rows"], version(project)["quarantined"]) == (10, 1), "the version keeps all its rows"
    (segment,) = segments(project)
    assert pq.read_table(segment).to_pylist() == [{"pk": "1", "reasons": '["`names are known`"]'}]


@pytest.mark.slow
def test_what_was_delivered_of_a_row_stays_while_it_is_set_aside_and_it_comes_back_by_itself(
    project: TestProject, receiver: Receiver
) -> None:
    delivered(project.given, GOOD)
    report = delivered(project, ONE_BAD)
    assert (report["requests"], report["plan"]["quarantined"]) == (0, 1)
    assert receiver.records["1"] == {"name": "p1", "score": 1.0}
    assert delivered(project, ONE_BAD)["status"] == "unchanged"
    report = delivered(project, {**GOOD, 1: ("p1", 99.0)})
    assert report["delivered"] == {"inserts": 0, "updates": 1, "deletes": 0}
    assert (report["plan"]["comparison"], version(project)["quarantined"]) == ("incremental", 0)
    assert receiver.records["1"] == {"name": "p1", "score": 99.0}


@pytest.mark.slow
def test_a_row_that_leaves_the_source_while_it_is_set_aside_is_gone(project: TestProject, receiver: Receiver) -> None:
    delivered(project.given, GOOD)
    delivered(project, ONE_BAD)
    delivered(project, {n: row for n, row in GOOD.items() if n != 1})
    assert "1" not in receiver.records


@pytest.mark.slow
def test_the_rule_alone_makes_a_version_and_taking_it_back_lets_the_rows_go(
    project: TestProject, receiver: Receiver
) -> None:
    contract(project, ratio=None)
    delivered(project, ONE_BAD)
    assert receiver.records["1"]["name"] is None
    contract(project, NULLS)
    delivered(project, ONE_BAD)
    newest = version(project)
    assert (newest["version"], newest["quarantined"], newest["updates"]) == (2, 1, 0)
    project.people({**GOOD, 1: (None, 5.0)})
    assert project.report()["requests"] == 0
    for newer in (3, 2):
        project.run("dataset", "withdraw", f"people@{newer}", "--reason", "the rule was a mistake", "--yes")
    contract(project, ratio=None)
    report = project.report()
    assert (report["plan"]["comparison"], report["delivered"]["updates"]) == ("incremental", 1)
    assert receiver.records["1"]["score"] == 5.0


def test_rows_that_are_good_again_are_sent_although_no_row_changed(project: TestProject, receiver: Receiver) -> None:
    contract(project, ratio=None)
    project.people(ONE_BAD)
    assert project.run("capture", "people").code == 0
    contract(project, NULLS)
    delivered(project, ONE_BAD)
    assert "1" not in receiver.records
    withdrawn = project.run(
        "--json", "dataset", "withdraw", "people@2", "--reason", "the rule was a mistake", "--yes"
    ).json
    assert "1" in receiver.records, withdrawn


@pytest.mark.slow
def test_a_preview_shows_what_a_run_does(project: TestProject) -> None:
    delivered(project.given, GOOD)
    project.people({**ONE_BAD, 2: ("other", 2.0)})
    told = project.run("--json", "plan", "people_to_hook").json
    assert (told["plan"]["updates"], told["plan"]["quarantined"], told["candidate"]) == (1, 1, True)
    assert "1 of 10 rows are set aside" in project.run("plan", "people_to_hook").out


@pytest.mark.slow
def test_too_many_bad_rows_are_a_bad_read_and_block(project: TestProject, receiver: Receiver) -> None:
    contract(project, NULLS, ratio=0.2)
    delivered(project, GOOD)
    two = {n: (None if n <= 2 else name, score) for n, (name, score) in GOOD.items()}
    delivered(project, two)
    project.people({**two, 3: (None, 3.0)})
    report = project.report()
    assert (report["status"], report["exit"], report["requests"]) == ("blocked", 3, 0)
    assert "3 of 10 rows are set aside, 30.00%, and at most 0.2 of them may be" in report["reason"]
    assert len(segments(project)) == 1, "what was blocked leaves nothing"


def test_one_row_in_twenty_may_be_set_aside_where_nothing_else_is_declared(project: TestProject) -> None:
    contract(project, NULLS, ratio=None)
    many: Rows = {n: (f"p{n}", 1.0) for n in range(1, 41)}
    delivered(project, {**many, 1: (None, 1.0), 2: (None, 1.0)})
    project.people({**many, 1: (None, 1.0), 2: (None, 1.0), 3: (None, 1.0)})
    assert project.report()["status"] == "blocked"


@pytest.mark.slow
def test_a_removal_for_consent_leaves_whatever_a_rule_says_of_the_row(project: TestProject, receiver: Receiver) -> None:
    project.write("contracts/register-v1.odcs.yaml", REGISTER)
    source = {"connection": "lake", "table": "register.parquet"}
    register = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml", "source": source}
    project.write("datasets/register.yaml", register)
    project.sync("people_to_hook", consent={"purpose": "email", "subject": "id", "on_withdrawal": "delete"})
    decide(project, *(granted(str(n)) for n in GOOD))
    delivered(project, GOOD)
    delivered(project, ONE_BAD)
    decide(project, *(granted(str(n)) if n > 1 else withdrawn("1") for n in GOOD))
    report = project.report()
    assert report["delivered"] == {"inserts": 0, "updates": 0, "deletes": 1}
    assert "1" not in receiver.records


@pytest.mark.slow
def test_of_repeated_values_the_first_row_stays_and_only_it_may_claim_their_record(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", match={"external_id": "name"}, fields={"score": "score"})
    contract(project, {"metric": "duplicateValues", "mustBe": 0, "customProperties": [ASIDE]})
    delivered(project, {1: ("a", 1.0), 2: ("a", 2.0), 3: ("b", 3.0), 4: ("c", 4.0)})
    assert receiver.records == {"a": {"score": 1.0}, "b": {"score": 3.0}, "c": {"score": 4.0}}
    delivered(project, {2: ("a", 2.0), 3: ("b", 3.0), 4: ("c", 4.0)})
    assert receiver.records["a"] == {"score": 2.0}


def test_a_column_sets_the_rows_aside_that_break_any_of_its_rules(project: TestProject, receiver: Receiver) -> None:
    column = {"required": True, "logicalTypeOptions": {"maxLength": 3}, "customProperties": [ASIDE]}
    contract(project, {"metric": "invalidValues", "arguments": {"pattern": "^p"}, "mustBe": 0}, column=column)
    delivered(project, {**GOOD, 1: (None, 1.0), 2: ("p-long", 2.0), 3: ("x-long", 3.0)})
    assert set(receiver.records) == {str(n) for n in range(4, 11)}
    (segment,) = segments(project)
    reasons = {row["pk"]: row["reasons"] for row in pq.read_table(segment).to_pylist()}
    assert reasons["1"] == '["name is required"]'
    assert [len(reasons[key].split(",")) for key in ("1", "2", "3")] == [1, 1, 2]


def test_a_table_sets_aside_by_default_and_a_rule_may_say_otherwise(project: TestProject, receiver: Receiver) -> None:
    keep = {
        "metric": "nullValues",
        "mustBe": 0,
        "customProperties": [{"property": "tidegate.quarantine", "value": False}],
    }
    contract(project, {"metric": "nullValues", "mustBe": 0}, table=(ASIDE,))
    delivered(project, ONE_BAD)
    contract(project, keep, column={"required": True}, table=(ASIDE,))
    assert project.report()["status"] == "blocked"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"rules": ({**NULLS, "severity": "warning"},)}, "is of severity warning and so stops nothing"),
        ({"rules": ({**NULLS, "mustBe": 3},)}, "would not be met without the rows that it counts"),
        (
            {"rules": ({**NULLS, "customProperties": [ASIDE, {"property": "tidegate.review", "value": True}]},)},
            "asks for `tidegate.review` and for `tidegate.quarantine`",
        ),
        ({"rules": ({**NULLS, "customProperties": [{**ASIDE, "value": "yes"}]},)}, "must be true or false"),
        ({"rules": (NULLS,), "ratio": 0}, "more than 0 and at most 1"),
        ({"rules": (), "ratio": 0.1}, "bounds nothing"),
        ({"rules": (), "ratio": None, "column": {"customProperties": [ASIDE]}}, "no rule that one row by itself"),
        ({"rules": (), "ratio": None, "table": (ASIDE,)}, "no rule that one row by itself"),
        (
            {"rules": (NULLS,), "column": {"customProperties": [{**ASIDE, "property": "tidegate.quarantineMaxRatio"}]}},
            "does not belong here",
        ),
    ],
)
def test_nonsense_is_refused_by_name(project: TestProject, written: dict[str, Any], words: str) -> None:
    written = dict(written)
    contract(project, *written.pop("rules"), **written)
    told = project.run("validate")
    assert (told.code, words in told.out + told.err) == (2, True), told


def test_a_row_count_and_a_query_cannot_set_rows_aside(project: TestProject) -> None:
    written = copy.deepcopy(CONTRACT)
    for rule in (
        {"metric": "rowCount", "mustBeGreaterThan": 0},
        {"type": "sql", "query": "SELECT count(*) FROM people", "mustBeGreaterThan": 0},
    ):
        written["schema"][0]["quality"] = [{**rule, "customProperties": [ASIDE]}]
        project.write("contracts/people-v1.odcs.yaml", written)
        told = project.run("validate")
        assert (told.code, "cannot have `tidegate.quarantine`" in told.out + told.err) == (2, True), told


def test_a_register_of_consent_cannot_set_rows_aside(project: TestProject) -> None:
    written = copy.deepcopy(REGISTER)
    written["schema"][0]["properties"][0] |= {"quality": [NULLS]}
    project.write("contracts/register-v1.odcs.yaml", written)
    source = {"connection": "lake", "table": "register.parquet"}
    register = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml", "source": source}
    project.write("datasets/register.yaml", register)
    told = project.run("validate")
    assert (told.code, "cannot set rows aside" in told.out + told.err) == (2, True), told


def test_a_plan_of_quarantined_rows_is_blocked_whoever_made_it(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate does not rest on the planner: here the planner forgets what is set aside."""
    monkeypatch.setattr("engine.steps.plan.aside", lambda *_: None)
    project.people(ONE_BAD)
    report = project.report()
    assert (report["status"], report["requests"]) == ("blocked", 0)
    assert "1 planned records are of quarantined rows" in report["reason"]


def test_a_dataset_lists_the_rows_that_it_sets_aside_by_key_and_shows_one_without_what_is_too_sensitive(
    project: TestProject,
) -> None:
    project.sync("people_to_hook", fields={"score": "score"})
    project.people(ONE_BAD)
    written = copy.deepcopy(CONTRACT)
    written["schema"][0]["customProperties"] = [{"property": "tidegate.quarantineMaxRatio", "value": 1}]
    rule = {**NULLS, "metric": "invalidValues", "arguments": {"validValues": ["p2"]}}
    written["schema"][0]["properties"][1] |= {"classification": "confidential", "quality": [rule]}
    project.write("contracts/people-v1.odcs.yaml", written)
    assert project.run("capture", "people").code == 0
    told = project.run("--json", "quarantine", "list", "people", "--limit", "2").json
    assert (told["quarantined"], told["rows"]) == (8, 10)
    assert told["records"] == [
        {"key": "10", "reasons": ["`names are known`"]},
        {"key": "3", "reasons": ["`names are known`"]},
    ]
    shown = project.run("--json", "quarantine", "show", "people@1", "--key", "3").json
    assert shown["columns"] == {"id": "3", "name": "•••", "score": "3"}
    assert "p3" not in project.run("quarantine", "show", "people", "--key", "3").out
    assert project.run("quarantine", "show", "people", "--key", "2").code == 2


def test_a_record_of_a_quarantined_row_says_so(project: TestProject, receiver: Receiver) -> None:
    delivered(project, ONE_BAD)
    told = project.run("--json", "show", "people_to_hook", "--key", "1").json
    assert (told["verdict"], told["holds"], told["desired"]) == ("row quarantined", False, False)
