"""The gates on what a mapping lets leave: how sensitive it is, and in which form."""

from __future__ import annotations

from ibis.expr.types import Table

from engine.checks import forms
from engine.checks.clearance import too_sensitive
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed
from engine.segments.compute import Session
from engine.steps.facts import Sync

CLEARANCE = "clearance"


def mapping_gates(session: Session, sync: Sync, rows: Table) -> list[CheckResult]:
    """Judge the mapping, and the ``rows`` of a version that a plan looks at."""
    checks = [_clearance(sync)]
    if forms.shaped(sync.mapping):
        found = session.single(rows.aggregate(**forms.metrics(rows, sync.mapping)))
        checks.append(forms.verdict(found, sync.mapping))
    return checks


def _clearance(sync: Sync) -> CheckResult:
    target = sync.target
    above = too_sensitive(sync.mapping.leaving, target.clearance)
    if above:
        return blocked(CLEARANCE, f"{', '.join(above)} is above the clearance ({target.clearance}) of {target.name}")
    return passed(CLEARANCE, f"every field is within the clearance ({target.clearance}) of {target.name}")
