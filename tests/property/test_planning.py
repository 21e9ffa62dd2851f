"""plan = desired − delivered: over random histories the engine and a model of dictionaries plan and remember alike.

Holds promises 2, 4, 7 and 9 of the design: convergence, deletes only of what was delivered, incremental = full, and
conservation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.desired import Mode
from engine.segments.compute import Compute, Session
from tests.property import model
from tests.property.model import Operation, Row
from tests.property.stage import Stage

PEOPLE = st.integers(1, 6)
MAILS = ("a@x", "b@x", "c@x", "é@x", "", 'q"\\@x')
SUBJECTS = ("s1", "s2", "s3")
OUTCOMES = st.sampled_from(["delivered", "delivered", "rejected", "failed", "unknown"])
MANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def datasets(draw: st.DrawFn) -> dict[int, Row]:
    """Rows by primary key; no two have the same mail, some have none."""
    pks = draw(st.lists(PEOPLE, unique=True, max_size=6))
    mails = draw(st.permutations([*MAILS, None, None]))
    return {
        pk: Row(
            mail,
            draw(st.sampled_from(["", "x", None, "null", "ü\n"])),
            draw(st.sampled_from([None, 0, 1])),
            draw(st.sampled_from(SUBJECTS)),
        )
        for pk, mail in zip(pks, mails, strict=False)
    }


@st.composite
def edits(draw: st.DrawFn, rows: dict[int, Row]) -> dict[int, Row]:
    """The next version: what was there with a few rows changed, added or gone."""
    target = draw(datasets())
    taken = draw(st.sets(PEOPLE, max_size=3))
    merged = {pk: row for pk, row in {**rows, **target}.items() if pk not in taken or pk in target}
    merged |= {pk: rows[pk] for pk in rows.keys() - taken}
    free = {row.mail for pk, row in merged.items() if pk not in taken}
    for pk in sorted(taken & merged.keys()):
        if merged[pk].mail in free:
            merged[pk] = replace(merged[pk], mail=None)
        free.add(merged[pk].mail)
    kept = {row.mail: pk for pk, row in sorted(merged.items())}
    return {pk: row if kept[row.mail] == pk else replace(row, mail=None) for pk, row in merged.items()}


class Twins:
    """The engine and the model, taken through the same history."""

    def __init__(self, session: Session, mode: Mode, *, consent: bool) -> None:
        self.stage = Stage(session, model.mapping(mode, consent=consent))
        self.mode = mode
        self.consent = consent
        self.layers = [self.stage.nothing_held()]
        self.state: model.State = {}

    def judge(self, rows: Mapping[int, Row], granted: set[str] | None) -> list[Operation]:
        """The plan of both, which must be one."""
        expected = model.verdicts(rows, granted, self.state, self.mode)
        judged = self.stage.full(self.stage.rows(rows), self.stage.subjects(granted), self.layers)
        self.plan = self.stage.plan(judged)
        planned = self.stage.operations(self.plan)
        assert planned == model.ordered(expected)
        words = Counter(v.change + "s" if isinstance(v, Operation) else v for v in expected.values())
        assert self.stage.counts(judged) == {
            name: words[name] for name in ("inserts", "updates", "deletes", "unchanged", "unconsented", "quarantined")
        }
        return planned

    def fold(self, planned: list[Operation], outcomes: list[str]) -> None:
        """Both remember; they must remember alike."""
        exceptions = {i: word for i, word in enumerate(outcomes) if word != "delivered"}
        self.layers.append(self.stage.fold(self.plan, exceptions))
        self.state = model.fold(self.state, planned, {planned[i].id: word for i, word in exceptions.items()})
        remembered = {id: replace(held, tried=None) for id, held in self.state.items()}
        assert self.stage.state(self.layers) == remembered
        assert len(planned) == len(exceptions) + outcomes.count("delivered")


@MANY
@pytest.mark.parametrize("mode", list(Mode))
@given(data=st.data())
def test_the_planner_agrees_with_the_model_and_converges(compute: Compute, mode: Mode, data: st.DataObject) -> None:
    with compute.session() as session:
        _live_through(Twins(session, mode, consent=data.draw(st.booleans(), "consent")), data)


def _live_through(twins: Twins, data: st.DataObject) -> None:
    granted: set[str] | None = None
    rows: dict[int, Row] = {}
    for _ in range(data.draw(st.integers(1, 4), "rounds")):
        rows = data.draw(edits(rows), "rows")
        granted = data.draw(st.sets(st.sampled_from(SUBJECTS)), "granted") if twins.consent else None
        planned = twins.judge(rows, granted)
        outcomes = data.draw(st.lists(OUTCOMES, min_size=len(planned), max_size=len(planned)), "outcomes")
        twins.fold(planned, outcomes)

    planned = twins.judge(rows, granted)
    twins.fold(planned, ["delivered"] * len(planned))

    assert twins.judge(rows, granted) == []


@MANY
@pytest.mark.parametrize("mode", list(Mode))
@given(data=st.data())
def test_an_incremental_plan_is_the_full_plan(compute: Compute, mode: Mode, data: st.DataObject) -> None:
    granted = data.draw(st.none() | st.sets(st.sampled_from(SUBJECTS)), "granted")
    with compute.session() as session:
        _plan_both_ways(Stage(session, model.mapping(mode, consent=granted is not None)), granted, data)


def _plan_both_ways(stage: Stage, granted: set[str] | None, data: st.DataObject) -> None:
    subjects = stage.subjects(granted)
    layers = [stage.nothing_held()]
    rows: dict[int, Row] = {}
    before = stage.rows(rows)
    for _ in range(data.draw(st.integers(2, 5), "rounds")):
        later = data.draw(edits(rows), "rows")
        changed = [pk for pk in sorted(rows.keys() | later.keys()) if rows.get(pk) != later.get(pk)]
        table = stage.rows(later)
        plan = stage.plan(stage.full(table, subjects, layers))
        quick = stage.plan(stage.incremental(table, before, changed, subjects, layers))

        planned = stage.operations(plan)
        assert stage.operations(quick) == planned

        outcomes = data.draw(st.lists(OUTCOMES, min_size=len(planned), max_size=len(planned)), "outcomes")
        layers.append(stage.fold(plan, {i: word for i, word in enumerate(outcomes) if word != "delivered"}))
        rows, before = later, table
