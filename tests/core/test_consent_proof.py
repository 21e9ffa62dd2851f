"""The gate's own derivation of consent says the same as the planner's, whatever a register holds and whatever is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.consent import earliest_change, granted, lines, register_rows
from engine.core.consent_proof import consenting, unproven
from engine.core.consent_rule import ConsentRule, Policy
from engine.core.consent_words import answers, consents
from engine.segments.compute import Compute, Session
from tests.property.effort import PATIENCE, examples
from tests.property.tables import Tables

pytestmark = PATIENCE
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
MOMENT = pa.timestamp("us", "UTC")
TEXTS = dict.fromkeys(("subject", "purpose", "status", "channel"), pa.string())
REGISTER = pa.schema({**TEXTS, "collected_at": MOMENT, "expires_at": MOMENT})
PEOPLE = 16
"""One example tries several people, who have nothing in common, at the price of one."""
RULES = tuple(
    ConsentRule(purposes, "who", policy, channel)
    for purposes, policy in ((("news",), Policy.ALL), (("news", "other"), Policy.ALL), (("news", "other"), Policy.ANY))
    for channel in (None, "mail")
)
hours = st.none() | st.integers(-3, 2).map(lambda n: NOW + timedelta(hours=n))
decision = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(["a@x", "a@x", "a@x", "A@x", " a@x", "b", "B", None]),
        "purpose": st.sampled_from(["news", "news", "news", "other", "News", "*", None]),
        "status": st.sampled_from(["granted", "granted", "granted", "withdrawn", "denied", "GRANTED", None]),
        "channel": st.sampled_from([None, None, "mail", "mail", "sms", "Mail ", "", "*"]),
        "collected_at": hours,
        "expires_at": hours,
    }
)
registers = st.lists(st.lists(decision, max_size=6), min_size=PEOPLE, max_size=PEOPLE).map(
    lambda people: [
        {**row, "subject": row["subject"] and f"{row['subject']}{n}"} for n, rows in enumerate(people) for row in rows
    ]
)


class Derivations:
    """Each derivation of each rule, compiled once over a register whose rows an example replaces."""

    def __init__(self, session: Session) -> None:
        self._tables = Tables(session, "proof_")
        read = self._tables.computed("read", register_rows(self._tables.given("register", REGISTER)))
        for place, rule in enumerate(RULES):
            found = self._tables.computed(f"lines {place}", lines(read, rule, NOW))
            self._tables.computed(f"granted {place}", granted(found, rule))
            self._tables.computed(f"until {place}", earliest_change(read, found, rule, NOW))
            self._tables.computed(f"consenting {place}", consenting(read, rule, NOW))

    def register(self, rows: list[dict[str, Any]], later: timedelta = timedelta()) -> list[dict[str, Any]]:
        """Replace the register; that it is ``later`` is that everything else is earlier. Returns it as it is read."""
        moved = [{name: v - later if isinstance(v, datetime) else v for name, v in row.items()} for row in rows]
        self._tables.put("register", moved)
        self._tables.fill("read")
        return self._tables.fetch("read")

    def planned(self, place: int) -> set[str]:
        self._tables.fill(f"lines {place}", f"granted {place}")
        return {row["subject"] for row in self._tables.fetch(f"granted {place}")}

    def proven(self, place: int) -> set[str]:
        self._tables.fill(f"consenting {place}")
        return {row["subject"] for row in self._tables.fetch(f"consenting {place}")}

    def until(self, place: int) -> datetime | None:
        self._tables.fill(f"until {place}")
        return self._tables.fetch(f"until {place}")[0]["until"]


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield Derivations(opened)


def told(read: list[dict[str, Any]], rule: ConsentRule) -> set[str]:
    """Who consents by the rule as it is explained to a person, in words."""
    reach = {row["subject"]: row["reach"] for row in read if row["subject"] is not None}
    near = {subject: [row for row in read if row["reach"] == where] for subject, where in reach.items()}
    return {subject for subject, rows in near.items() if consents(answers(rows, subject, rule, NOW), rule)}


@examples(12)
@given(rows=registers)
def test_both_derivations_grant_the_same_subjects(derived: Derivations, rows: list[dict[str, Any]]) -> None:
    read = derived.register(rows)

    for place, rule in enumerate(RULES):
        taken = derived.planned(place)
        assert derived.proven(place) == taken, rule
        assert told(read, rule) == taken, rule


@examples(3)
@given(rows=registers)
def test_nothing_changes_before_the_moment_until_which_it_holds(
    derived: Derivations, rows: list[dict[str, Any]]
) -> None:
    derived.register(rows)
    now = {place: (derived.planned(place), derived.until(place)) for place in range(len(RULES))}

    for later in (timedelta(hours=0.5), timedelta(hours=1), timedelta(hours=1.5), timedelta(hours=2)):
        derived.register(rows, later)
        for place, (people, until) in now.items():
            if until is None or NOW + later < until:
                assert derived.planned(place) == people, RULES[place]


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
        ops = ["upsert", "upsert", "upsert", "delete", "unsubscribe"]
        plan = session.rows(pa.table({"pk": ["1", "2", "3", "2", "3"], "op": ops}))
        found = session.fetch(unproven(plan, rows, ["id"], register, ConsentRule(("news",), "who"), NOW))

    assert sorted(row["pk"] for row in found) == ["2", "3"]
