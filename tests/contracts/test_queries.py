"""A query of a quality rule sees its one table and nothing else, gives one number, and is refused by name otherwise."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.core.demands import CANDIDATE_VIEW, Operator, QueryRule, Severity, Threshold
from engine.segments.compute import Compute
from engine.segments.sandbox import NoNumber, candidate_sandbox, empty_sandbox

HOSTILE: list[dict[str, str]] = yaml.safe_load((Path(__file__).parents[1] / "hostile" / "queries.yaml").read_text())
PROPERTIES = [
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    {"name": "name", "logicalType": "string"},
    {"name": "score", "logicalType": "number", "physicalType": "double"},
    {"name": "seen at", "logicalType": "timestamp"},
]
ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "name": ["Ada", None, "Cy"],
        "score": [1.5, 2.5, None],
        "seen at": pa.array([None, None, None], pa.timestamp("us", "UTC")),
    }
)


def contract(written: dict[str, Any], on: str | None = "name", physical: str | None = None) -> dict[str, Any]:
    heading = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "c", "version": "1.0.0", "status": "active"}
    properties = [{**p, "quality": [written]} if p["name"] == on else p for p in PROPERTIES]
    table = {"name": "people", "properties": properties, **({} if on else {"quality": [written]})}
    return {**heading, "schema": [{**table, **({"physicalName": physical} if physical else {})}]}


def rule(query: str, on: str | None = "name", **more: Any) -> QueryRule:
    found = read_contract(contract({"type": "sql", "query": query, "mustBe": 0, **more}, on, "people_v2"))
    assert isinstance(found, Contract), found
    (read,) = found.demands.queries
    return read


def refusal(query: str, on: str | None = "name", **more: Any) -> str:
    found = read_contract(contract({"type": "sql", "query": query, "mustBe": 0, **more}, on))
    assert isinstance(found, InvalidContract), found.demands.queries
    (finding,) = found.findings
    return f"{finding.message} {finding.hint}"


def number(query: str, tmp_path: Path, on: str | None = "name") -> Fraction | NoNumber:
    """What a query gives over three rows, through reading, judging, writing anew and running."""
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    with candidate_sandbox(Compute("100MB", 1, tmp_path / "spill"), tmp_path / "rows.parquet") as sandbox:
        return sandbox.number(rule(query, on).query, seconds_max=20)


def test_the_corpus_is_large_enough_and_without_repetition() -> None:
    assert len({case["query"] for case in HOSTILE}) == len(HOSTILE) >= 60


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: repr(case["query"][:60]))
def test_a_hostile_query_is_refused_when_the_contract_is_read(case: dict[str, str]) -> None:
    assert case["refused"] in refusal(case["query"])


def test_a_hostile_query_that_got_through_would_meet_a_wall(tmp_path: Path) -> None:
    """Run as they are, without the judgement before: no file appears, no setting changes, the one table stays as it was."""
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    before = (tmp_path / "rows.parquet").read_bytes()
    with candidate_sandbox(Compute("50MB", 1, tmp_path / "spill"), tmp_path / "rows.parquet") as sandbox:
        for case in HOSTILE:
            if case["query"].strip() and case.get("alone") != "endless":
                assert isinstance(sandbox.number(case["query"], seconds_max=1), NoNumber | Fraction), case
        sandbox.number("ROLLBACK", seconds_max=5)
        assert sandbox.number("SELECT current_setting('lock_configuration')", seconds_max=5) == 1
        assert sandbox.number("SELECT current_setting('enable_external_access')", seconds_max=5) == 0
        assert sandbox.number(f"SELECT count(*) FROM {CANDIDATE_VIEW}", seconds_max=5) == 3
    assert (tmp_path / "rows.parquet").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "spill"]


FINE: list[tuple[str, Fraction]] = [
    ("SELECT COUNT(*) FROM ${table} WHERE ${column} IS NOT NULL", Fraction(2)),
    ("SELECT COUNT(*) FROM {object} WHERE {property} IS NULL", Fraction(1)),
    ('select count(*) from "${object}" where "${property}" = \'Ada\'', Fraction(1)),
    ("select count(*) from people where people.name like 'C%'", Fraction(1)),
    ("SELECT count(*) FROM People_V2 p WHERE p.Name IS NOT NULL", Fraction(2)),
    ("SELECT count(DISTINCT name) / count(*) FROM people", Fraction(2 / 3)),
    ("SELECT max(score) FROM people", Fraction(5, 2)),
    ("SELECT bool_and(id > 0) FROM people", Fraction(1)),
    ("WITH known AS (SELECT id FROM people WHERE name IS NOT NULL) SELECT count(*) FROM known", Fraction(2)),
    ("SELECT count(*) FROM (SELECT name FROM people GROUP BY name HAVING count(*) > 1)", Fraction(0)),
    ("SELECT count(*) FROM people a JOIN people b ON a.id = b.id + 1", Fraction(2)),
    ("SELECT count(*) FILTER (WHERE score > 2) FROM people", Fraction(1)),
    ("SELECT sum(CASE WHEN score IS NULL THEN 1 ELSE 0 END)::INT FROM people", Fraction(1)),
    ("SELECT count(*) FROM people WHERE regexp_matches(name, '^A')", Fraction(1)),
    ('SELECT count(*) FROM people WHERE "seen at" > now() - INTERVAL 1 DAY', Fraction(0)),
    ("SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY name ORDER BY id) AS n FROM people) WHERE n > 1", Fraction(0)),
    ("SELECT count(*) FROM people WHERE id NOT IN (SELECT id FROM people WHERE score IS NULL) -- a comment", Fraction(2)),
    ("SELECT 1.25", Fraction(5, 4)),
    ("SELECT quantile_cont(id, 0.5) FROM people", Fraction(2)),
    ("SELECT count(*) FROM people EXCEPT SELECT 5", Fraction(3)),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), FINE)
def test_a_query_about_its_own_table_gives_its_number(query: str, expected: Fraction, tmp_path: Path) -> None:
    assert number(query, tmp_path) == expected


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT max(score) FROM people WHERE id > 5", "gave null"),
        ("SELECT id FROM people WHERE id > 5", "gave no row"),
        ("SELECT id FROM people", "gave more than one value"),
        ("SELECT 9223372036854775807 + id FROM people WHERE id = 1", "could not be evaluated (OutOfRangeException)"),
        ("SELECT count(*) FROM people WHERE name::INT > 1", "could not be evaluated (ConversionException)"),
    ],
)
def test_a_query_without_a_number_says_so_and_shows_no_value(query: str, why: str, tmp_path: Path) -> None:
    assert number(query, tmp_path) == NoNumber(why)


def test_a_query_that_does_not_end_is_interrupted(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": list(range(3_000))}), tmp_path / "rows.parquet")
    with candidate_sandbox(Compute("100MB", 1, tmp_path / "spill"), tmp_path / "rows.parquet") as sandbox:
        joined = ", ".join(f"{CANDIDATE_VIEW} t{n}" for n in range(4))
        slow = f"SELECT count(*) FROM {joined} WHERE hash(t0.id, t1.id, t2.id, t3.id) = 1"
        assert sandbox.number(slow, seconds_max=0.2) == NoNumber("took longer than 0.2 s")
        assert sandbox.number(f"SELECT count(*) FROM {CANDIDATE_VIEW}", seconds_max=20) == 3_000, (
            "and the next one runs"
        )


def test_a_query_that_needs_too_much_memory_is_ended(tmp_path: Path) -> None:
    pq.write_table(pa.table({"s": [f"{n:0200}" for n in range(2_000)]}), tmp_path / "rows.parquet")
    doubled = f"(SELECT s FROM {CANDIDATE_VIEW})"
    for _ in range(14):
        doubled = f"(SELECT s || s AS s FROM {doubled})"
    with candidate_sandbox(Compute("64MB", 1, tmp_path / "spill"), tmp_path / "rows.parquet") as sandbox:
        found = sandbox.number(f"SELECT max(length(s)) FROM {doubled}", seconds_max=60)
    assert found == NoNumber("needs more memory than `compute.memory`")


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_what_is_no_finite_number_is_none(word: str) -> None:
    with empty_sandbox([("x", "DOUBLE")]) as sandbox:
        assert sandbox.number(f"SELECT '{word}'::DOUBLE", seconds_max=5) == NoNumber("gave no number")


def test_what_runs_is_what_was_judged_and_not_the_text_that_was_written() -> None:
    read = rule("select -- ' \n count(*) /* ; */ from people -- ; drop view people")
    assert read.query == f'SELECT COUNT(*) FROM {CANDIDATE_VIEW} AS "people"'


def test_operators_severity_and_truth_are_read() -> None:
    read = rule("SELECT count(*) FROM people", mustBe=None, mustBeBetween=[1, 5], severity="warning", name="few")
    assert (read.label, read.severity) == ("`few`", Severity.WARNING)
    assert read.threshold == Threshold(Operator.BETWEEN, read.threshold.bounds)
    assert rule("SELECT bool_and(id > 0) FROM people", mustBe=True).threshold.bounds == (1,)
    assert "must be a number" in refusal("SELECT 1", mustBe="one")
    assert "is a query, and has a `metric`" in refusal("SELECT 1", metric="rowCount")


def test_a_placeholder_of_a_column_needs_one() -> None:
    assert rule("SELECT count(*) FROM {object}", on=None).query.startswith("SELECT COUNT(*)")
    assert "stands under the table" in refusal("SELECT count({property}) FROM {object}", on=None)


def test_a_query_that_is_too_long_or_too_deep_is_refused() -> None:
    assert "characters" in refusal("SELECT 1 --" + "x" * 10_000)
    assert "is too long" in refusal("SELECT " + "1+" * 1_500 + "1")
    assert "nested too deeply" in refusal("SELECT " + "(" * 4_000 + "1" + ")" * 4_000)


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("SELECT count(*) FROM people", True),
        ("SELECT count(*) * 100.0 / nullif(count(name), 0) AS share FROM people", True),
        ("SELECT bool_and(score > 1) FROM people", True),
        ("SELECT max(score) FROM people", False),
        ("SELECT id FROM people LIMIT 1", False),
        ("SELECT count(*) + max(id) FROM people", False),
        ("SELECT count(*) + (SELECT max(id) FROM people) FROM people", False),
        ("SELECT count(*) FROM people UNION SELECT max(id) FROM people", False),
    ],
)
def test_only_a_number_that_counts_may_be_shown(query: str, counts: bool) -> None:
    assert rule(query).counts == counts


@pytest.mark.parametrize("properties", [[], [{"name": "", "logicalType": "string"}], [{"logicalType": "string"}]])
def test_a_query_over_columns_without_a_name_is_refused_in_words(properties: list[dict[str, Any]]) -> None:
    written = contract({"type": "sql", "query": "SELECT count(*) FROM {object}", "mustBe": 0}, None)
    written["schema"][0]["properties"] = properties
    assert isinstance(read_contract(written), InvalidContract)
