"""Consent registers as a plan reads them: which version of each, and who has granted as of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import ibis
from ibis.expr.types import Table

from engine.core.consent import earliest_change, granted, lines, register_rows, within_reach
from engine.core.consent_proof import unproven
from engine.core.consent_rule import REMOVING, ConsentRule, OnWithdrawal
from engine.core.events import CheckResult, ConsentAsked
from engine.core.names import CONSENT_STREAM, ERASURE_STREAM, SUPPRESSION_STREAM, DatasetId, VersionNumber
from engine.core.relations import union
from engine.core.verdict import blocked, passed, warned
from engine.ledger.projections import versions
from engine.segments.compute import Session
from engine.steps.decisions import decided, decisions_head
from engine.steps.erased import erasures_head
from engine.steps.facts import Dataset, Sync, Tools
from engine.steps.snapshots import snapshot_table
from engine.steps.suppression import suppressions_head

APPLIED = "consent.applied"
IGNORED = "consent.ignored"
TAKEN_HERE = "decisions taken here"
"""What stands for a register where a decision was taken here."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A read that was not accepted: what `tidegate plan` previews; ``changed`` are its changed keys."""

    rows: Table
    version: VersionNumber
    changed: Table | None
    quarantine: Table | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a preview read beside the ledger: the dataset when it differs, and the consent registers that differ."""

    dataset: Candidate | None
    registers: Mapping[DatasetId, Candidate]


NO_PREVIEW = Preview(None, MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Consent:
    """Subjects who consent ``at`` a moment and the decisions that allow it (None when the sync asks nobody).

    ``until`` is when the first decision ends or begins to count, ``register`` every one that was read (None when there
    is none).
    """

    subjects: Table | None
    until: str | None
    register: Table | None
    at: datetime


def asked_of(rule: ConsentRule | None, at: datetime) -> ConsentAsked | None:
    """A rule as an event keeps it."""
    if rule is None:
        return None
    words = (rule.policy.value, rule.channel, rule.subject, rule.on_withdrawal.value)
    return ConsentAsked(rule.purposes, *words, at.isoformat())


def newest_version(tools: Tools, dataset: DatasetId) -> VersionNumber:
    """The number of the newest accepted version, 0 when there is none."""
    row = versions.latest(tools.database, dataset)
    return row.version if row else VersionNumber(0)


def register_versions(tools: Tools, sync: Sync, preview: Preview) -> dict[str, int]:
    """What decides who may be sent, and how far it has come.

    The version of every register that the sync's consent depends on, how often decisions were taken here, how often people
    were asked to be forgotten, and how often suppression lists were changed.
    """
    heads = {ERASURE_STREAM: erasures_head(tools), SUPPRESSION_STREAM: suppressions_head(tools)}
    found: dict[str, int] = {stream: head for stream, head in heads.items() if head}
    if sync.mapping.consent is None:
        return found
    found |= {
        r.id: preview.registers[r.id].version if r.id in preview.registers else newest_version(tools, r.id)
        for r in sync.registers
    }
    head = decisions_head(tools)
    return {**found, CONSENT_STREAM: head} if head else found


def consent_now(tools: Tools, session: Session, sync: Sync, preview: Preview) -> Consent:
    """Evaluate the sync's consent rule at this moment; no register and no decision mean no consent."""
    rule, now = sync.mapping.consent, tools.clock.now()
    if rule is None:
        return Consent(None, None, None, now)
    register = every_decision(tools, session, sync.registers, preview)
    if register is None:
        nobody = ibis.schema({"subject": "string", "basis": "string"}).to_pyarrow().empty_table()
        return Consent(session.rows(nobody), None, None, now)
    register = session.cached(register)
    found = session.cached(lines(register, rule, now))
    until = session.single(earliest_change(register, found, rule, now))["until"]
    subjects = session.cached(granted(found, rule))
    return Consent(subjects, until.isoformat() if until is not None else None, register, now)


def newest_moment(
    tools: Tools, session: Session, registers: Sequence[Dataset], subject: str, purpose: str, latest: datetime
) -> datetime | None:
    """When the newest decision about somebody and a purpose was taken; None when none says.

    What a register dates after ``latest`` is a mistake of its own and is left out; what was recorded here never is.
    """
    every = every_decision(tools, session, registers, NO_PREVIEW)
    if every is None:
        return None
    theirs = every.filter(
        (every.register == TAKEN_HERE) | (every.collected_at <= ibis.literal(latest, type="timestamp('UTC')")),
        (every.reach == within_reach(ibis.literal(subject)))
        & (every.reach_purpose.isnull() | (every.reach_purpose == purpose) | (every.purpose == purpose)),
    )
    found: datetime | None = session.single(theirs.aggregate(newest=theirs.collected_at.max()))["newest"]
    return found


def consent_applied(session: Session, sync: Sync, planned: Table, rows: Table, consent: Consent) -> CheckResult:
    """The gate that derives anew that nothing leaves about a subject without a standing grant.

    From the decisions that were read for the plan and as of its moment, but by another way than its join.
    """
    rule = sync.mapping.consent
    if rule is None:
        return passed(APPLIED, "nobody needs to be asked")
    if consent.register is None:
        found = planned.filter(planned["op"].notin(REMOVING))
    else:
        found = unproven(planned, rows, sync.dataset.schema.key, consent.register, rule, consent.at)
    count = int(session.single(found.aggregate(n=found.count()))["n"])
    if count:
        return blocked(APPLIED, f"{count:,} planned records have no consent to {rule}", {"unproven": count})
    return passed(APPLIED, f"every planned record has consent to {rule}", {"unproven": 0})


def consent_ignored(session: Session, sync: Sync, held: Table, consent: Consent) -> tuple[CheckResult, ...]:
    """A warning where records of people who do not consent stay at the destination, because the sync says so."""
    rule = sync.mapping.consent
    if rule is None or consent.subjects is None or rule.on_withdrawal is not OnWithdrawal.IGNORE:
        return ()
    left = held.filter((held.acked | held.unknown) & held.subject.notnull()).anti_join(consent.subjects, "subject")
    count = int(session.single(left.aggregate(n=left.count()))["n"])
    if not count:
        return (passed(IGNORED, "nothing is held of people who do not consent", {"left": 0}),)
    message = f"{count:,} records of people without consent to {rule} stay at the destination: `on_withdrawal: ignore`"
    return (warned(IGNORED, message, {"left": count}),)


def every_decision(tools: Tools, session: Session, registers: Sequence[Dataset], preview: Preview) -> Table | None:
    """Every decision that a rule over these registers may rest on; None when there is none at all."""
    tables = [rows for register in registers if (rows := _register(tools, session, register.id, preview)) is not None]
    if (here := decided(tools, session)) is not None:
        tables.append(register_rows(here, TAKEN_HERE))
    return union(*tables) if tables else None


def _register(tools: Tools, session: Session, register: DatasetId, preview: Preview) -> Table | None:
    if register in preview.registers:
        candidate = preview.registers[register]
        return register_rows(candidate.rows, register_name(register, candidate.version))
    version = newest_version(tools, register)
    return register_version(tools, session, register, version) if version else None


def register_version(tools: Tools, session: Session, register: DatasetId, version: VersionNumber) -> Table:
    """The decisions of one version of a register; raises `StorageError` when it is not kept."""
    return register_rows(snapshot_table(tools, session, register, version), register_name(register, version))


def register_name(register: DatasetId, version: int) -> str:
    """How a decision names the register that it stands in."""
    return f"{register} version {version}"
