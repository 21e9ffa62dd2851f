"""Explain gates: every check that applies to a dataset or a sync, its rule in words, and what it found last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from engine.checks import forms, queries
from engine.checks.registry import IDENTITIES, PLAN, rules_of_candidates
from engine.core.consent_rule import ConsentRule, OnWithdrawal
from engine.core.events import CaptureBlocked, CheckResult, VersionAccepted, VersionHeld
from engine.core.names import dataset_stream, is_meant, name_of
from engine.core.verdict import Verdict, paired, passed
from engine.errors import ConfigurationError
from engine.ledger.projections import runs, versions
from engine.ledger.projections.runs import RunRow
from engine.service.app import App
from engine.service.failing_rows import FailingRow, failing_of_candidate, failing_of_plan
from engine.steps.candidate import DRIFT, VALUES
from engine.steps.capture import KEY_TYPE
from engine.steps.consent import APPLIED, IGNORED
from engine.steps.contract import CHANGE, DEPRECATED
from engine.steps.contract import VERSION as CONTRACT
from engine.steps.facts import Dataset, Sync
from engine.steps.gate import candidate_facts
from engine.steps.keep_out import APPLIED as UNLISTED
from engine.steps.keep_out import LISTS
from engine.steps.mapping_gates import CLEARANCE
from engine.steps.place import PLACE, place_of
from engine.steps.plan_gate import APPROVAL, EVERY_PLAN, plan_facts
from engine.steps.suppression import suppression_lists

NEVER = "never ran"
LOOKED_AT_MAX = 50
"""Captures of a dataset and runs of a sync, newest first, among which the last result of a check is looked for."""

Judgement = VersionAccepted | VersionHeld | CaptureBlocked
Rules = Sequence[tuple[str, Sequence[str]]]
"""Names of checks, each with its rules in words."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """One rule of one check: ``where`` is candidate or plan, ``of`` the dataset or the sync that it belongs to.

    ``verdict`` is pass, warn, hold, block or `NEVER`; ``note`` says why no failing rows are shown.
    """

    of: str
    where: str
    check: str
    rule: str
    verdict: str
    message: str
    metrics: Mapping[str, float]
    at: str
    failing: tuple[FailingRow, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class GatesReport:
    """The gates of a dataset, or of a sync with those of the datasets that it reads; ``next`` is what to type now."""

    name: str
    gates: tuple[GateReport, ...]
    next: str


@dataclass(frozen=True, slots=True)
class _Told:
    """The newest results of one check, when, and what they judged."""

    results: tuple[CheckResult, ...]
    at: datetime
    judged: Judgement | RunRow


def gates(app: App, name: str, *, samples: int) -> GatesReport:
    """Every check that applies to the sync or dataset ``name``, with at most ``samples`` failing rows each.

    Raises `ConfigurationError` when there is neither.
    """
    if name in app.syncs:
        sync = app.sync(name)
        datasets = dict.fromkeys(d.id for d in (sync.dataset, *sync.registers))
        found = [g for id in datasets for g in _of_dataset(app, app.datasets[id], samples)]
        found += _of_sync(app, sync, samples)
        return GatesReport(name, tuple(found), _next(found, f"tidegate run {name}"))
    if not any(is_meant(id, name) for id in app.datasets):
        raise _unknown(app, name)
    dataset = app.dataset(name)
    found = _of_dataset(app, dataset, samples)
    return GatesReport(dataset.id, tuple(found), _next(found, f"tidegate capture {dataset.id}"))


def _of_dataset(app: App, dataset: Dataset, samples: int) -> list[GateReport]:
    facts = candidate_facts(app.tools, dataset, versions.latest(app.tools.database, dataset.id))
    rules = [
        (CONTRACT, ("the contract breaks nothing that the one before promised, and its version says what changed",)),
        (DEPRECATED, ("nobody ended the contract",)),
        (CHANGE, ("what a contract changes waits for a person",) if dataset.needs_approval else ()),
        (DRIFT, ("the source has every column of the contract, with values of its type",)),
        (VALUES, ("every value can be kept in the type of its column",)),
        *rules_of_candidates(facts),
        (queries.NAME, queries.words(facts)),
        (KEY_TYPE, ("the primary key has the columns and types of the version before",)),
    ]
    events = reversed(app.tools.ledger.tail(LOOKED_AT_MAX, dataset_stream(dataset.id)))
    judgements = [(r.event.checks, r.recorded_at, r.event) for r in events if isinstance(r.event, Judgement)]
    told = _newest(judgements)
    for silent in (CONTRACT, DEPRECATED, CHANGE, VALUES, KEY_TYPE):
        # They speak only when they fail; a candidate that came through all checks has passed them.
        last = next((j for j in judgements if not isinstance(j[2], CaptureBlocked)), None)
        if last is not None and (silent not in told or told[silent].at < last[1]):
            told[silent] = _Told((passed(silent, ""),), last[1], last[2])
    reports = _reports(dataset.id, "candidate", rules, told)
    if not samples:
        return [report for report, _ in reports]
    return [
        replace(report, failing=rows, note=note)
        for report, place in reports
        for rows, note in [
            failing_of_candidate(app, dataset, facts, report.check, place, _judged(told, report), samples)
        ]
    ]


def _of_lists(app: App, destination: str) -> Rules:
    """The rules of the suppression lists that keep people away from a destination, where there are any."""
    if not any(each.destination in {None, destination} for each in suppression_lists(app.tools)):
        return ()
    return (
        (LISTS, (f"every suppression list that keeps people away from {destination} can be held against the rows",)),
        (UNLISTED, (f"no record is about somebody in a suppression list for {destination}",)),
    )


def _of_withdrawals(rule: ConsentRule | None) -> list[tuple[str, Sequence[str]]]:
    if rule is None or rule.on_withdrawal is not OnWithdrawal.IGNORE:
        return []
    return [(IGNORED, ("records of people who do not consent any more stay as they are",))]


def _of_sync(app: App, sync: Sync, samples: int) -> list[GateReport]:
    facts, target, consent = plan_facts(sync), sync.target, sync.mapping.consent
    asked = "nobody needs to be asked" if consent is None else f"every record has consent to {consent}"
    rules: list[tuple[str, Sequence[str]]] = [
        *((check.name, check.words(facts)) for check in IDENTITIES),
        (CLEARANCE, (f"every field is within the clearance ({target.clearance}) of {target.name}",)),
        (PLACE, (f"the records that are held are in {place_of(sync)}",)),
        (forms.NAME, forms.words(sync.mapping)),
        *_of_lists(app, target.name),
        (APPLIED, (asked,)),
        *_of_withdrawals(consent),
        *((check.name, check.words(facts)) for check in PLAN),
        (APPROVAL, (EVERY_PLAN,) if sync.require_approval else ()),
    ]
    rows = runs.listing(app.tools.database, sync.id, LOOKED_AT_MAX)
    told = _newest([(row.checks, row.started_at, row) for row in rows])
    reports = _reports(sync.id, "plan", rules, told)
    if not samples:
        return [report for report, _ in reports]
    return [
        replace(report, failing=found, note=note)
        for report, _ in reports
        for found, note in [failing_of_plan(app, sync, report.check, _judged(told, report), samples)]
    ]


def _judged(told: Mapping[str, _Told], report: GateReport) -> Judgement | RunRow | None:
    """What the last result was about, where that did not pass."""
    return told[report.check].judged if report.verdict not in {NEVER, Verdict.PASS.value} else None


def _newest(judged: Iterable[tuple[tuple[CheckResult, ...], datetime, Judgement | RunRow]]) -> dict[str, _Told]:
    """Per check its newest results, given judgements newest first."""
    told: dict[str, _Told] = {}
    for results, at, what in judged:
        for check in dict.fromkeys(result.check for result in results):
            told.setdefault(check, _Told(tuple(r for r in results if r.check == check), at, what))
    return told


def _reports(of: str, where: str, rules: Rules, told: Mapping[str, _Told]) -> list[tuple[GateReport, int]]:
    """A report per rule with its place among its check's rules; then results of checks without one."""
    named = {check for check, _ in rules}
    unnamed = [(check, ("",)) for check in told if check not in named]
    reports = []
    for check, words in (*rules, *unnamed):
        found = told.get(check)
        results = paired(words, found.results) if found else [None] * len(words)
        for place, (rule, result) in enumerate(zip(words, results, strict=True)):
            at = found.at.isoformat() if found and result else ""
            told_as = result or CheckResult(check, NEVER, "", {})
            report = GateReport(of, where, check, rule, told_as.verdict, told_as.message, told_as.metrics, at)
            reports.append((report, place))
    return reports


def _next(found: Iterable[GateReport], again: str) -> str:
    verdicts = {report.verdict for report in found}
    if Verdict.BLOCK.value in verdicts:
        return f"mend what blocks, then {again}"
    if Verdict.HOLD.value in verdicts:
        return "tidegate approvals"
    return again if NEVER in verdicts else ""


def _unknown(app: App, name: str) -> ConfigurationError:
    known = (*app.sync_names, *app.dataset_names)
    near = get_close_matches(name, (*known, *(name_of(id) for id in app.dataset_names)), n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known) or 'none'}"
    return ConfigurationError(
        f"There is no sync or dataset `{name}` in this project", safe="Nothing was started.", next=hint
    )
