"""A sync is moved to the next major of its dataset with a look at what that sends, by one line of its file."""

from __future__ import annotations

import copy

import pyarrow as pa
import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

FILE = """# who owns it: growth
name: people_to_hook
dataset: people@1   # the major
destination: hook
object: contacts
mode: mirror
match: {external_id: id}
consent: {none: test data}
fields:
  name: name
  # what the shop counts
  score: SCORE
"""


@pytest.fixture(autouse=True)
def two_majors(project: TestProject) -> None:
    """In the second major everybody scores ten more, and there is one more column."""
    contract = {**copy.deepcopy(CONTRACT), "version": "2.0.0"}
    contract["schema"][0]["properties"].append({"name": "city", "logicalType": "string"})
    project.write("contracts/people-v2.odcs.yaml", contract)
    second(project)
    source = {"connection": "lake", "table": "people2.parquet"}
    project.write(
        "datasets/people-v2.yaml", {"name": "people", "contract": "contracts/people-v2.odcs.yaml", "source": source}
    )
    written(project, "score")


def second(project: TestProject) -> None:
    rows = {"id": [1, 2], "name": ["Ada", "Bo"], "score": [11.5, None], "city": ["U", "V"]}
    project.data(
        pa.table(rows, schema=pa.schema({"id": "int64", "name": "string", "score": "float64", "city": "string"})),
        "people2.parquet",
    )


def written(project: TestProject, score: str) -> None:
    (project.folder / "syncs/people_to_hook.yaml").write_text(FILE.replace("SCORE", score))


def events(project: TestProject) -> int:
    return len(project.run("--json", "ledger", "tail", "--limit", "1000").json)


def test_it_shows_what_would_be_sent_and_the_line_and_changes_nothing(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    held, recorded = dict(receiver.records), events(project)

    told = project.run("--json", "contract", "promote", "people_to_hook")

    assert told.code == 0, told
    report = told.json
    assert (report["before"], report["after"], report["written"]) == ("people@1", "people@2", False)
    assert (report["file"], report["line"], report["becomes"]) == ("syncs/people_to_hook.yaml", 3, "dataset: people@2")
    assert [(change["kind"], change["what"]) for change in report["changes"]] == [("additive", "column city")]
    plan = report["plan"]["plan"]
    assert (plan["inserts"], plan["updates"], plan["deletes"], plan["comparison"]) == (0, 1, 1, "full")
    assert [sample["change"] for sample in report["plan"]["samples"]] == ["delete", "update"]
    assert (receiver.records, events(project)) == (held, recorded)
    assert (project.folder / "syncs/people_to_hook.yaml").read_text() == FILE.replace("SCORE", "score")
    assert (
        "syncs/people_to_hook.yaml:3: the line to change: dataset: people@2"
        in project.run("contract", "promote", "people_to_hook").out
    )


def test_the_run_after_the_line_was_written_sends_what_was_shown(project: TestProject, receiver: Receiver) -> None:
    project.given.report()

    told = project.run("--json", "contract", "promote", "people_to_hook", "--write")

    assert (told.code, told.json["written"]) == (0, True)
    text = FILE.replace("SCORE", "score").replace("people@1", "people@2")
    assert (project.folder / "syncs/people_to_hook.yaml").read_text() == text
    report = project.report()
    assert (report["dataset"], report["delivered"]) == ("people@2", {"inserts": 0, "updates": 1, "deletes": 1})
    assert report["plan"]["digest"] == told.json["plan"]["plan"]["digest"]
    assert {key: fields["score"] for key, fields in receiver.records.items()} == {"1": 11.5, "2": None}
    assert project.run("contract", "promote", "people_to_hook").code == 2


def test_a_file_that_must_change_in_other_places_is_told_where(project: TestProject) -> None:
    project.given.report()
    contract = {**copy.deepcopy(CONTRACT), "version": "2.0.0"}
    contract["schema"][0]["properties"][2]["name"] = "points"
    project.write("contracts/people-v2.odcs.yaml", contract)

    told = project.run("--json", "contract", "promote", "people_to_hook", "--write")

    assert told.code == 2
    assert told.json["plan"] is None
    (problem,) = told.json["problems"]
    assert (problem["file"], problem["line"]) == ("syncs/people_to_hook.yaml", 12)
    assert "people@1" in (project.folder / "syncs/people_to_hook.yaml").read_text()


def test_what_a_gate_blocks_is_not_written(project: TestProject) -> None:
    project.given.report()
    project.data(
        pa.table(
            {
                "id": pa.array([], pa.int64()),
                "name": pa.array([], pa.string()),
                "score": pa.array([], pa.float64()),
                "city": pa.array([], pa.string()),
            }
        ),
        "people2.parquet",
    )

    told = project.run("--json", "contract", "promote", "people_to_hook", "--write")

    assert (told.code, told.json["written"]) == (3, False)
    assert "people@1" in (project.folder / "syncs/people_to_hook.yaml").read_text()


def test_a_line_that_is_no_plain_one_is_left_to_the_operator(project: TestProject) -> None:
    project.given.report()
    path = project.folder / "syncs/people_to_hook.yaml"
    path.write_text(path.read_text().replace("dataset: people@1 ", "dataset: &major\n  people@1 "))
    before = path.read_text()

    told = project.run("contract", "promote", "people_to_hook", "--write")

    assert told.code == 2
    assert path.read_text() == before


def test_without_a_next_major_there_is_nowhere_to_go(project: TestProject) -> None:
    (project.folder / "datasets/people-v2.yaml").unlink()

    told = project.run("contract", "promote", "people_to_hook")

    assert told.code == 2
    assert "no major of `people` above 1" in " ".join(told.err.split())
