"""Where values come from and go to, in each form that is printed, and whom a change reaches."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bootstrap import load
from engine.core.lineage import Role
from engine.service.lineage import lineage
from engine.service.openlineage import openlineage
from tests.acceptance.test_consent import REGISTER
from tests.lineage.published import problems
from tests.projects import CONTRACT, TestProject
from tests.property.effort import examples

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "TIDEGATE_TEST_UPDATE_GOLDEN"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLUMNS = ("id", "name", "score")


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """People of a table and of a query, a register of consent, and three syncs of them; nothing that could be dialled."""
    made = TestProject(tmp_path, "http://127.0.0.1:9/batch")
    made.write("contracts/register-v1.odcs.yaml", REGISTER)
    register = {"connection": "lake", "table": "register.parquet"}
    contract = "contracts/register-v1.odcs.yaml"
    made.write(
        "datasets/register.yaml", {"name": "register", "kind": "consent", "contract": contract, "source": register}
    )
    people = {"connection": "lake", "table": "people.parquet"}
    dataset = {"name": "people", "owner": "growth", "contract": "contracts/people-v1.odcs.yaml", "source": people}
    made.write("datasets/people.yaml", {**dataset, "identifiers": ["id"]})
    new = copy.deepcopy(CONTRACT)
    new["version"] = "2.0.0"
    made.write("contracts/people-v2.odcs.yaml", new)
    query = 'SELECT id, lower("name") AS name, (SELECT max(points) FROM games) AS score FROM shop.people'
    source = {"connection": "lake", "query": query}
    made.write("datasets/people2.yaml", {**dataset, "contract": "contracts/people-v2.odcs.yaml", "source": source})
    made.sync("people_to_hook", consent={"purpose": "email", "subject": "id"})
    hashed = {"name": {"from": "name", "normalise": "name", "hash": "sha256"}, 'odd "one"': "score"}
    made.sync("people_to_ads", object="audience", fields=hashed)
    made.sync("new_people", dataset="people@2", object="members", fields={"score": {"from": "score", "type": "string"}})
    return made


def agrees(name: str, text: str) -> None:
    """``text`` is what stands in a file that people have looked at."""
    file = GOLDEN / name
    if os.environ.get(UPDATE):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("dataset.txt", ("lineage", "people")),
        ("dataset.json", ("--json", "lineage", "people@1")),
        ("sync.txt", ("lineage", "people_to_ads")),
        ("column.txt", ("lineage", "people@1", "--column", "name")),
        ("register.txt", ("lineage", "register")),
        ("dataset.mmd", ("lineage", "people", "--format", "mermaid")),
        ("impact.txt", ("impact", "people")),
        ("impact_column.json", ("--json", "impact", "people@1.name")),
        ("impact_register.txt", ("impact", "register@1")),
    ],
)
def test_lineage_and_impact_are_told_as_people_have_read_them(
    project: TestProject, name: str, arguments: tuple[str, ...]
) -> None:
    outcome = project.run(*arguments)

    assert (outcome.code, outcome.err) == (0, "")
    agrees(name, outcome.out)


def test_the_events_are_as_the_published_schema_wants_them(project: TestProject) -> None:
    events = openlineage(lineage(load(project.folder, environment=None), "people", None), NOW)

    assert [problem for event in events for problem in problems(event)] == []
    agrees("dataset.openlineage.json", json.dumps(events, indent=2) + "\n")
    printed = project.run("lineage", "people", "--format", "openlineage").json
    assert [{**event, "eventTime": NOW.isoformat()} for event in printed] == events


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("producer",), None),
        (("run",), {"runId": "1"}),
        (("job", "name"), 1),
        (("outputs", 0, "facets", "columnLineage", "fields", "name", "inputFields", 0, "field"), None),
        (("outputs", 0, "facets", "columnLineage", "_schemaURL"), "no address"),
        (("eventTime",), "2026-01-02T03:04:05"),
    ],
)
def test_the_rules_of_the_schema_find_what_is_wrong(project: TestProject, path: tuple[Any, ...], value: object) -> None:
    (event, *_) = openlineage(lineage(load(project.folder, environment=None), "people@1", None), NOW)
    *way, last = path
    place: Any = event
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value

    assert list(problems(event))


def test_nothing_is_dialled_read_or_written(project: TestProject) -> None:
    before = sorted(project.folder.rglob("*"))

    assert project.run("lineage", "people").code == project.run("impact", "people").code == 0
    assert sorted(project.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lineage", "nobody"), "neither a dataset nor a sync"),
        (("lineage", "people", "--column", "age"), "has no column `age`"),
        (("impact", "people.age"), "has no column `age`"),
        (("impact", "people@9"), "neither a dataset nor a sync"),
        (("--json", "lineage", "people", "--format", "mermaid"), "no JSON"),
    ],
)
def test_what_is_not_there_is_named(project: TestProject, arguments: tuple[str, ...], said: str) -> None:
    outcome = project.run(*arguments)

    assert (outcome.code, said in outcome.err + outcome.out) == (2, True)


names = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=8).map("f{}".format)
fields = st.dictionaries(names, st.sampled_from(COLUMNS), min_size=1, max_size=6)


def test_every_field_that_is_sent_appears_once_with_the_column_that_it_is_sent_from() -> None:
    with TemporaryDirectory() as folder:
        project = TestProject(Path(folder), "http://127.0.0.1:9/batch")

        @given(fields=fields, match=st.sampled_from(COLUMNS), asks=st.booleans())
        @examples(40)
        def appears_once(fields: dict[str, str], match: str, asks: bool) -> None:
            consent = {"purpose": "email", "subject": "id"} if asks else {"none": "test data"}
            project.sync("people_to_hook", fields=fields, match={"external_id": match}, consent=consent)
            (found,) = lineage(load(project.folder, environment=None), "people", None).datasets
            told = Counter((use.role, use.field, column.column) for column in found.columns for use in column.uses)
            wanted = Counter((Role.FIELD, field, column) for field, column in fields.items())
            wanted[Role.MATCH, "external_id", match] += 1
            if asks:
                wanted[Role.CONSENT, "", "id"] += 1
            assert told == wanted

        appears_once()
