"""Rejected records in a person's hands: which are set aside and why, and letting them go or giving them up.

Nothing is edited: a decision is a new layer of the delivered state, which a fold names, and an event that says what was
decided, appended together under the sync's lease.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import ArrayValue, BooleanValue, Table

from engine.core.desired import FIELD
from engine.core.events import RejectionsDropped, RejectionsReleased, StateFolded
from engine.core.names import SegmentRef
from engine.core.plan import waits_in_doubt
from engine.core.relations import union
from engine.core.state import BEFORE, DROPPED, dropped, field_columns, payload_digest, released
from engine.errors import ConfigurationError
from engine.ledger.log import Fence
from engine.ledger.projections import runs, states, windows
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import ORDINAL, Session
from engine.steps.anchors import check_anchors
from engine.steps.delivered_state import state_rows
from engine.steps.dropped_plans import gone_of
from engine.steps.facts import Sync, Tools
from engine.steps.fold import remember, stacked
from engine.steps.record_state import compared_records
from engine.steps.sync_lease import sync_lease

RUNS_LOOKED_AT_MAX = 50
"""Runs of a sync, newest first, among which rejections are looked for; of an older one the reason is not shown."""


class Standing(StrEnum):
    """What becomes of a record: it waits for a decision, is tried again, was given up, or has nothing owed."""

    QUARANTINED = "quarantined"
    IN_DOUBT = "in_doubt"
    """Nobody knows whether the destination has it, and the sync says that it is not to be sent again unasked."""
    OWED = "owed"
    DROPPED = "dropped"
    SETTLED = "settled"


_STANDINGS = {"quarantined": Standing.QUARANTINED, "in doubt": Standing.IN_DOUBT, "send": Standing.OWED}


def standing(verdict: str, attempts: int) -> Standing:
    """The standing of a record, given what a comparison says of it and its state row's attempts."""
    if verdict == "quarantined":
        return Standing.DROPPED if attempts == DROPPED else Standing.QUARANTINED
    return _STANDINGS.get(verdict, Standing.SETTLED)


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Rejected records that are not settled, and those in doubt: how many of each standing, and the first as rows.

    Rows have ``id``, ``standing``, ``attempts``, and, where a run that was looked at tells, ``since`` (the run that
    rejected this payload first, or left it in doubt) and the newest ``code`` and ``message`` with the ``values`` that
    they were about.
    """

    quarantined: int
    in_doubt: int
    owed: int
    rows: Sequence[dict[str, Any]]


def outstanding(tools: Tools, session: Session, sync: Sync, limit: int) -> Outstanding:
    """The records that wait for a decision, and the rejected ones that the next run tries again, by standing and id."""
    found = _outstanding(tools, session, sync)
    sizes = {r["standing"]: int(r["n"]) for r in session.fetch(found.group_by("standing").aggregate(n=found.count()))}
    first = session.cached(
        found.order_by(found.standing == Standing.OWED.value, found.standing.desc(), "id").limit(limit)
    )
    shown = {row["id"]: {**row, "since": "", "code": "", "message": "", "values": []} for row in session.fetch(first)}
    seen = rejections(tools, session, sync, first)
    nth = seen.mutate(nth=ibis.row_number().over(group_by="id", order_by="place") + 1)
    told = nth.inner_join(first.select("id", attempts=ibis.greatest(first.attempts, 1)), "id")
    for row in session.fetch(told.filter((told.nth == 1) | (told.nth == told.attempts))):
        if row["nth"] == 1:
            shown[row["id"]] |= {name: row[name] for name in ("code", "message", "values")}
        if row["nth"] == row["attempts"]:
            shown[row["id"]]["since"] = row["run"]
    return Outstanding(
        quarantined=sizes.get(Standing.QUARANTINED.value, 0),
        in_doubt=sizes.get(Standing.IN_DOUBT.value, 0),
        owed=sizes.get(Standing.OWED.value, 0),
        rows=tuple(shown.values()),
    )


def _outstanding(tools: Tools, session: Session, sync: Sync) -> Table:
    """``id``, ``attempts``, ``standing``, ``reason`` and ``digest`` of the payload, of every record that is not settled."""
    held = state_rows(tools, session, states.current(tools.database, sync.id))
    rejected = session.cached(held.filter((held.attempts > 0) | _doubts(sync, held)).select("id"))
    compared = compared_records(tools, session, sync, rejected)
    if compared is None:
        texts = dict.fromkeys(("id", "standing", "reason", "digest"), "string")
        nothing = ibis.schema({**texts, "attempts": "int64"})
        return session.rows(nothing.to_pyarrow().empty_table())
    judged = compared.judged
    verdicts = {verdict: one.value for verdict, one in _STANDINGS.items()}
    open_ones = judged.filter(judged.verdict.isin(list(verdicts)))
    return session.cached(
        open_ones.select(
            "id",
            attempts=open_ones.was_attempts,
            standing=open_ones.verdict.substitute(verdicts),
            reason="reason",
            digest=payload_digest(open_ones, field_columns(open_ones)),
        )
    )


def rejections(tools: Tools, session: Session, sync: Sync, chosen: Table) -> Table:
    """Each rejection of the records ``chosen.id`` in the newest runs: ``id``, ``run``, ``place``, ``code``, ``message``.

    Where records in doubt wait for a person, what left them in doubt stands among them. ``values`` are those of what was
    sent, before and after, that may not be shown: a message may quote them.

    ``place`` is 0 for the newest run. An unfinished run is left out: its outcomes are not part of the state yet.
    """
    kinds = ["rejected", "unknown"] if sync.rules.holds_doubt else ["rejected"]
    parts, gone = [], gone_of(tools, sync.id)
    for place, row in enumerate(runs.listing(tools.database, sync.id, RUNS_LOOKED_AT_MAX)):
        if row.segment is None or not (row.rejected or row.unknown) or row.finished_at is None or gone.holds(row):
            continue
        segments = [tools.storage.local(ref) for ref in _exceptions(tools, row)]
        found = session.table(*segments)
        found = found.filter(found.outcome.isin(kinds)).select(_at="ordinal", code="code", message="message")
        numbered = session.numbered(tools.storage.local(row.segment))
        sent = numbered.semi_join(chosen, "id").select("id", _at=ORDINAL, values=_hidden(sync, numbered))
        named = sent.inner_join(found, "_at")
        parts.append(
            named.select(
                "id",
                "code",
                "message",
                "values",
                run=ibis.literal(str(row.run)),
                place=ibis.literal(place).cast("int64"),
            )
        )
    if not parts:
        texts = dict.fromkeys(("id", "code", "message", "run"), "string")
        nothing = {**texts, "values": "array<string>", "place": "int64"}
        return session.rows(ibis.schema(nothing).to_pyarrow().empty_table())
    return union(*parts)


def _hidden(sync: Sync, rows: Table) -> ArrayValue:
    """The values of plan rows, as JSON texts, that are classified too high to be shown; those of fields unmapped since too."""
    shown = {c for f in sync.mapping.fields if f.classification.is_shown for c in (FIELD + f.target, BEFORE + f.target)}
    names = [c for c in rows.columns if c.startswith((FIELD, BEFORE)) and c not in shown]
    if not all(part.classification.is_shown for part in sync.mapping.match):
        names += ["id", "key"]
    return ibis.array([rows[name] for name in names]) if names else ibis.literal([], type="array<string>")


def _exceptions(tools: Tools, row: RunRow) -> list[SegmentRef]:
    receipts = (window.receipt for window in windows.listing(tools.database, row.run))
    return [receipt.exceptions for receipt in receipts if receipt is not None and receipt.exceptions is not None]


def release(tools: Tools, sync: Sync, keys: Sequence[str]) -> int:
    """Let attempts start again for the records with these match keys, or for all that are set aside or tried again.

    Returns how many changed; none when they are released already. Raises `Busy` while another process holds the sync,
    and `ConfigurationError` for a key of which nothing was ever sent.
    """

    def chosen(session: Session, held: Table) -> Table:
        if keys:
            named = _named(session, held, keys)
            return named.filter((named.attempts > 0) | (named.attempts == DROPPED) | _doubts(sync, named))
        return held.semi_join(_outstanding(tools, session, sync), "id")

    def decide(decision: _Decision) -> None:
        fold = replace(decision.fold, owed=max(decision.fold.owed, decision.records))
        said = RejectionsReleased(sync=sync.id, records=decision.records)
        remember(tools, sync, said, fold, fence=decision.fence)

    return _decided(tools, sync, lambda session, held: released(chosen(session, held)), decide)


def drop(tools: Tools, sync: Sync, keys: Sequence[str]) -> int:
    """Give up what was rejected of the records with these match keys, or of all that are set aside.

    A payload that differs from the rejected one is sent as before. Returns and raises as `release`; the removal of
    somebody without consent cannot be given up.
    """

    def chosen(session: Session, held: Table) -> Table:
        found = _outstanding(tools, session, sync)
        if not keys:
            return dropped(held.semi_join(found.filter(found.standing != Standing.OWED.value), "id"), found)
        named = _named(session, held, keys)
        _refuse_consent(session, found.filter(found.reason == "consent").semi_join(named, "id"))
        return dropped(named.filter((named.attempts > 0) | _doubts(sync, named)), found)

    def decide(decision: _Decision) -> None:
        said = RejectionsDropped(sync=sync.id, records=decision.records)
        remember(tools, sync, said, decision.fold, fence=decision.fence)

    return _decided(tools, sync, chosen, decide)


def _doubts(sync: Sync, rows: Table) -> BooleanValue:
    """Which rows wait for a person because nobody knows what is held of them."""
    return waits_in_doubt(sync.rules, rows.unknown, rows.attempts)


@dataclass(frozen=True, slots=True)
class _Decision:
    """How many records a decision is about, the fold that holds it, and the fence under which to write."""

    records: int
    fold: StateFolded
    fence: Fence


def _decided(
    tools: Tools, sync: Sync, changed: Callable[[Session, Table], Table], decide: Callable[[_Decision], None]
) -> int:
    """Write the changed rows as the newest layer of the state and append the decision; nothing when none changed."""
    check_anchors(tools)
    with sync_lease(tools, sync.id) as lease, tools.compute.session() as session:
        _refuse_unfinished(tools, sync)
        before = states.current(tools.database, sync.id)
        held = state_rows(tools, session, before)
        rows = session.cached(changed(session, held))
        count = int(session.single(rows.aggregate(n=rows.count()))["n"])
        if before is None or not count:
            return 0
        segments = stacked(tools, session, sync.id, before.run, before.segments, rows)
        # What was last folded stays true: only flags of these records differ, so its run and version are kept.
        decide(_Decision(count, replace(before, segments=segments, delivered=0), lease.fence))
        return count


def _named(session: Session, held: Table, keys: Sequence[str]) -> Table:
    """The state rows with these ids; raises `ConfigurationError` when there is none for one of them."""
    wanted = session.rows(pa.table({"id": pa.array(keys, pa.string())}))
    found = session.cached(held.semi_join(wanted, "id"))
    known = {row["id"] for row in session.fetch(found.select("id"))}
    missing = [str(place) for place, key in enumerate(keys, start=1) if key not in known]
    if missing:
        raise ConfigurationError(
            "Nothing of a record with such a key was ever sent, so nothing of it was rejected",
            where=f"--key number {', '.join(missing)}",
            safe="Nothing was changed.",
            next="`tidegate quarantine list` names the records, each by the key to give",
        )
    return found


def _refuse_consent(session: Session, removals: Table) -> None:
    if int(session.single(removals.aggregate(n=removals.count()))["n"]):
        raise ConfigurationError(
            "The removal of somebody without consent is owed until the destination takes it; it cannot be given up",
            safe="Nothing was changed.",
            next="`tidegate quarantine show` says why the destination refuses it",
        )


def _refuse_unfinished(tools: Tools, sync: Sync) -> None:
    """The fold of a run that has to be finished would take back what is decided in between."""
    left = runs.unfinished(tools.database, sync.id)
    if left is not None:
        raise ConfigurationError(
            f"Run {left.run} of {sync.id} was interrupted, and how its records ended is not folded yet",
            safe="Nothing was changed.",
            next=f"`tidegate run {sync.id}` finishes it; then decide about what is rejected",
        )
