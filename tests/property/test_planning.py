"""plan = desired − delivered: over arbitrary histories the engine and a model of dictionaries plan and remember alike.

Holds promises 2, 4, 7 and 9 of the design: convergence, deletes only of what was delivered, an incremental plan that
equals the full one, and conservation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.consent_rule import OnWithdrawal
from engine.core.desired import Mode
from tests.property import model
from tests.property.conftest import Stages
from tests.property.effort import PATIENCE, examples
from tests.property.histories import Edit, Round, edited, histories
from tests.property.model import Operation

pytestmark = PATIENCE
VERDICTS = ("inserts", "updates", "deletes", "unchanged", "unconsented", "quarantined", "in_doubt", "unremovable")


class Twins:
    """The engine and the model, taken through the same history; with ``own_key`` a record's id is its row's primary key."""

    def __init__(
        self, stages: Stages, mode: Mode, consent: OnWithdrawal | None, holds_doubt: bool, *, own_key: bool = False
    ) -> None:
        self.stage = stages(mode, consent, holds_doubt, "pk" if own_key else "mail")
        self.own_key = own_key
        self.mode = mode
        self.consent = consent
        self.holds_doubt = holds_doubt
        self.rows: dict[int, model.Row] = {}
        self.bad: set[int] = set()
        self.granted: frozenset[str] | None = frozenset() if consent else None
        self.known: frozenset[str] = frozenset()
        self.state: model.State = {}
        self.changed: set[int] | None = None
        """Rows that changed since the last plan; None when consent changed too, so that everything is compared."""
        self.stage.reset()

    def happen(self, round: Round) -> None:
        """The source, the rules of the contract and the consent register change."""
        before, self.rows = self.rows, edited(self.rows, round.edits, round.bad)
        if self.own_key:
            self.rows = {pk: replace(row, mail=str(pk)) for pk, row in self.rows.items()}
        standing, self.bad = self.bad, {pk for pk, row in self.rows.items() if row.a in round.bad}
        self.stage.version(self.rows, self.bad)
        self.changed = {pk for pk in before.keys() | self.rows.keys() if before.get(pk) != self.rows.get(pk)}
        self.changed |= standing ^ self.bad
        if self.granted is not None and round.granted is not None and round.granted != self.granted:
            self.granted, self.changed = round.granted, None
            self.known |= round.granted
            self.stage.grant(round.granted, self.known)

    def plan(self) -> list[Operation]:
        """The plan of both, which must be one, whether everything is compared or only what changed."""
        expected = model.verdicts(
            self.rows,
            self.granted,
            self.state,
            self.mode,
            consent=self.consent,
            holds_doubt=self.holds_doubt,
            bad=self.bad,
            known=self.known,
        )
        planned = self.stage.plan()
        assert planned == model.ordered(expected)
        words = Counter(v.change + "s" if isinstance(v, Operation) else v.replace(" ", "_") for v in expected.values())
        assert self.stage.counts() == {name: words[name] for name in VERDICTS}
        if self.changed is not None:
            digest = self.stage.digest()
            assert self.stage.plan_incrementally(self.changed) == planned
            assert self.stage.digest() == digest
        self.changed = set()
        return planned

    def deliver(self, planned: list[Operation], outcomes: Mapping[str, str]) -> None:
        """Both remember what the destination answered; they must remember alike."""
        self.stage.fold({place: outcomes[o.id] for place, o in enumerate(planned) if o.id in outcomes})
        self.state = model.fold(self.state, planned, outcomes)
        assert self.stage.state() == {id: replace(held, tried=None) for id, held in self.state.items()}


KINDS: tuple[tuple[OnWithdrawal | None, bool], ...] = (
    (None, False),
    (OnWithdrawal.DELETE, False),
    (OnWithdrawal.DELETE, True),
    (OnWithdrawal.UNSUBSCRIBE, False),
    (OnWithdrawal.IGNORE, True),
)
"""What becomes of a withdrawal, where anybody is asked, and whether doubts wait."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(Mode))
@examples(12)
@given(kind=st.sampled_from(KINDS), own_key=st.booleans(), history=histories())
def test_the_planner_agrees_with_the_model_and_converges(
    stages: Stages, mode: Mode, kind: tuple[OnWithdrawal | None, bool], own_key: bool, history: list[Round]
) -> None:
    consent, holds_doubt = kind
    if mode is Mode.INSERT and consent is OnWithdrawal.UNSUBSCRIBE:
        consent = OnWithdrawal.DELETE
    twins = Twins(stages, mode, consent, holds_doubt, own_key=own_key)
    for round in history:
        twins.happen(round)
        held = {id for id, record in twins.state.items() if record.acked or record.unknown}
        planned = twins.plan()
        if holds_doubt:
            in_doubt = {id for id, record in twins.state.items() if record.unknown}
            assert {o.id for o in planned if o.reason != "consent"}.isdisjoint(in_doubt)
        assert {o.id for o in planned if o.op == "delete"} <= held
        assert {o.pk for o in planned if o.reason != "consent"}.isdisjoint(twins.bad)
        twins.deliver(planned, round.outcomes)

    twins.deliver(twins.plan(), {})

    assert twins.plan() == []

    # What was set aside comes back by itself once it passes.
    twins.happen(Round({}, None, {}))
    twins.deliver(twins.plan(), {})
    assert twins.plan() == []


def test_a_record_that_was_given_up_and_is_in_doubt_since_is_still_given_up(stages: Stages) -> None:
    """It was rejected twice, then another value left without an answer, and then the value that is refused came back."""
    twins = Twins(stages, Mode.MIRROR, None, True)
    for value, outcome in (("bad", "rejected"), ("bad", "rejected"), ("other", "unknown")):
        twins.happen(Round({0: Edit(model.Row("m", value, None, "s"))}, None, {}))
        twins.deliver(twins.plan(), {"m": outcome})

    twins.happen(Round({0: Edit(model.Row("m", "bad", None, "s"))}, None, {}))

    assert twins.plan() == []
    assert twins.stage.counts()["quarantined"] == 1
