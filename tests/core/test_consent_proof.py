"""The gate's own derivation of consent says the same as the planner's, whatever a register holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.consent import decisions, granted, register_rows
from engine.core.consent_proof import standing_grants, unproven
from engine.core.desired import ConsentRule
from engine.segments.compute import Compute, Session
from tests.property.effort import PATIENCE, examples

pytestmark = PATIENCE
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
MOMENT = pa.timestamp("us", "UTC")
TEXTS = dict.fromkeys(("subject", "purpose", "status"), pa.string())
REGISTER = pa.schema({**TEXTS, "collected_at": MOMENT, "expires_at": MOMENT})
hours = st.none() | st.integers(-2, 2).map(lambda n: NOW + timedelta(hours=n))
decision = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(["a", "b", None]),
        "purpose": st.sampled_from(["news", "news", "other", None]),
        "status": st.sampled_from(["granted", "granted", "withdrawn", "denied", None]),
        "collected_at": hours,
        "expires_at": hours,
    }
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


@examples(150)
@given(rows=st.lists(decision, max_size=7))
def test_both_derivations_grant_the_same_subjects(session: Session, rows: list[dict[str, Any]]) -> None:
    register = register_rows(session.rows(pa.Table.from_pylist(rows, schema=REGISTER)))

    taken = {row["subject"] for row in session.fetch(granted(decisions(register, "news"), NOW))}
    proven = {row["subject"] for row in session.fetch(standing_grants(register, "news", NOW))}

    assert proven - {None} == taken - {None}


def test_a_planned_record_without_a_grant_is_named_and_a_removal_is_not(tmp_path: Path) -> None:
    with Compute("256MB", 1, tmp_path / "spill").session() as session:
        register = register_rows(
            session.rows(
                pa.Table.from_pylist(
                    [{"subject": "a", "purpose": "news", "status": "granted", "collected_at": NOW}], schema=REGISTER
                )
            )
        )
        rows = session.rows(pa.table({"id": [1, 2, 3], "who": ["a", "b", None]}))
        plan = session.rows(pa.table({"pk": ["1", "2", "3", "2"], "op": ["upsert", "upsert", "upsert", "delete"]}))
        found = session.fetch(unproven(plan, rows, ["id"], register, ConsentRule("news", "who"), NOW))

    assert sorted(row["pk"] for row in found) == ["2", "3"]
