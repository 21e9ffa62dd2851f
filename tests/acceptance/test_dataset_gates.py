"""What a version must hold to beside the versions before it: whole captures, by the command line."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.projects import TestProject
from tests.receiver import Receiver

People = dict[int, tuple[str | None, float | None]]
TEN: People = {n: (f"p{n}", float(n % 2)) for n in range(1, 11)}


def gates(project: TestProject, **rules: Any) -> None:
    """Give the dataset gates, with its names as identifiers."""
    dataset = yaml.safe_load((project.folder / "datasets/people.yaml").read_text())
    project.write("datasets/people.yaml", {**dataset, "identifiers": ["name"], "gates": rules})


def captured(project: TestProject, people: People) -> dict[str, Any]:
    """The report of a capture of these people."""
    project.people(people)
    report: dict[str, Any] = project.run("--json", "capture", "people").json
    return report


WRONG: dict[str, tuple[dict[str, Any], People, str, str]] = {
    "names of another join": (
        {"identifiers": {"max_rekeyed": 0.1}},
        {n: (f"p{n % 10 + 1}", score) for n, (_, score) in TEN.items()},
        "blocked",
        "10 rows (100.0%) are re-keyed by name, more than 10.0%",
    ),
    "new keys for the same names": (
        {"identifiers": {"max_rekeyed": 0.1, "on_fail": "review"}},
        {n + 100: row for n, row in TEN.items()},
        "held",
        "10 rows (100.0%) are re-keyed by name, more than 10.0%",
    ),
    "other people altogether": (
        {"identifiers": {"min_match_rate": 0.8, "on_fail": "review"}},
        {n + 100: (f"q{n}", score) for n, (_, score) in TEN.items()},
        "held",
        "0.0% of the 10 earlier values of name are still there, wanted 80.0%",
    ),
    "one name for everybody": (
        {"identifiers": {"max_duplicate_increase": 0.5, "max_distinct_change": 10}},
        {n: ("same", score) for n, (_, score) in TEN.items()},
        "blocked",
        "identifier name is a repeat in 90.0% of the rows, up from 0.0%",
    ),
    "few of the names": (
        {"identifiers": {"max_distinct_change": 0.3}},
        {n: row for n, row in TEN.items() if n <= 6},
        "blocked",
        "identifier name has 6 different values, 40.0% away from 10, more than 30.0%",
    ),
    "a value that nobody expects": (
        {"values": {"columns": ["score"], "max_new": 0.0}},
        {**TEN, 3: ("p3", 7.5)},
        "blocked",
        "1 new values of score in 1 of 10 rows (10.0%), more than 0.0%",
    ),
}


@pytest.mark.parametrize(("rules", "people", "status", "words"), WRONG.values(), ids=WRONG)
def test_a_version_that_is_about_somebody_else_gets_just_the_declared_action(
    project: TestProject, rules: dict[str, Any], people: People, status: str, words: str
) -> None:
    assert captured(project.given, TEN)["status"] == "accepted"
    # The version before was judged without these gates, and recorded nothing to compare with.
    gates(project, **rules)

    found = captured(project, people)

    assert (found["status"], words in found["reason"]) == (status, True), found["reason"]
    assert captured(project, TEN)["status"] in {"unchanged", "accepted"}, "what was always so passes"


def test_a_preview_says_of_a_candidate_what_a_run_would(project: TestProject, receiver: Receiver) -> None:
    gates(project, identifiers={"min_match_rate": 0.8}, values={"columns": ["score"], "on_fail": "warn"})
    project.people(TEN)
    assert project.report()["status"] == "succeeded"
    project.people({n + 100: (f"q{n}", 7.5) for n in TEN})

    preview = project.run("--json", "plan", "people_to_hook")
    run = project.report()

    told = {check["check"]: check["verdict"] for check in preview.json["checks"]}
    assert (preview.code, told["identity.match_rate"], told["values.new"]) == (3, "block", "warn")
    assert (run["status"], run["exit"]) == ("blocked", 3)


def test_a_row_count_that_is_far_from_its_history_waits_for_a_person(project: TestProject) -> None:
    gates(project, rows={"history": {"versions": 10, "mad": 3}, "on_fail": "review"})
    for version in range(5):
        people: People = {n: (f"p{n}", float(version)) for n in range(100 + version)}
        assert captured(project, people)["status"] == "accepted"

    found = captured(project, {n: (f"p{n}", 9.0) for n in range(99)})
    assert (found["status"], found["version"]) == ("accepted", 6)
    found = captured(project, {n: (f"p{n}", 9.0) for n in range(150)})

    assert found["status"] == "held"
    assert "150 rows are" in found["reason"]
    assert "deviations" in found["reason"]
