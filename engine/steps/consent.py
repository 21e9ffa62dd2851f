"""Consent registers as a plan reads them: which version of each, and who has granted as of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import ibis
from ibis.expr.types import Table

from engine.core.consent import decisions, earliest_expiry, granted, register_rows
from engine.core.consent_proof import unproven
from engine.core.events import CheckResult
from engine.core.names import CONSENT_STREAM, ERASURE_STREAM, SUPPRESSION_STREAM, DatasetId, VersionNumber
from engine.core.relations import union
from engine.core.verdict import blocked, passed
from engine.ledger.projections import versions
from engine.segments.compute import Session
from engine.steps.decisions import decided, decisions_head
from engine.steps.erased import erasures_head
from engine.steps.facts import Sync, Tools
from engine.steps.snapshots import snapshot_table
from engine.steps.suppression import suppressions_head

APPLIED = "consent.applied"


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
    """Subjects with a grant that counts ``at`` a moment and its receipt (None when the sync asks for none).

    ``until`` is when the first of them ends, ``register`` every decision that was read (None when there is none).
    """

    subjects: Table | None
    until: str | None
    register: Table | None
    at: datetime


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
    register = _decisions(tools, session, sync, preview)
    if register is None:
        nobody = ibis.schema({"subject": "string", "receipt": "string"}).to_pyarrow().empty_table()
        return Consent(session.rows(nobody), None, None, now)
    newest = session.cached(decisions(register, rule.purpose))
    until = session.single(earliest_expiry(newest, now))["until"]
    return Consent(granted(newest, now), until.isoformat() if until is not None else None, register, now)


def consent_applied(session: Session, sync: Sync, planned: Table, rows: Table, consent: Consent) -> CheckResult:
    """The gate that derives anew that nothing leaves about a subject without a standing grant.

    From the decisions that were read for the plan and as of its moment, but by another way than its join.
    """
    rule = sync.mapping.consent
    if rule is None:
        return passed(APPLIED, "nobody needs to be asked")
    if consent.register is None:
        found = planned.filter(planned["op"] != "delete")
    else:
        found = unproven(planned, rows, sync.dataset.schema.key, consent.register, rule, consent.at)
    count = int(session.single(found.aggregate(n=found.count()))["n"])
    if count:
        return blocked(APPLIED, f"{count:,} planned records have no consent to {rule.purpose}", {"unproven": count})
    return passed(APPLIED, f"every planned record has consent to {rule.purpose}", {"unproven": 0})


def _decisions(tools: Tools, session: Session, sync: Sync, preview: Preview) -> Table | None:
    """Every decision that the sync's rule may rest on; None when there is none at all."""
    tables = [
        register_rows(table)
        for register in sync.registers
        if (table := _register(tools, session, register.id, preview)) is not None
    ]
    if (here := decided(tools, session)) is not None:
        tables.append(register_rows(here))
    return union(*tables) if tables else None


def _register(tools: Tools, session: Session, register: DatasetId, preview: Preview) -> Table | None:
    if register in preview.registers:
        return preview.registers[register].rows
    version = newest_version(tools, register)
    return snapshot_table(tools, session, register, version) if version else None
