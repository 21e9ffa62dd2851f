"""Rows that must not be sent whatever consent says: about people to be forgotten, and about people in suppression lists."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr.types import Table

from engine.core.consent import taken_back
from engine.core.consent_rule import REMOVING
from engine.core.events import CheckResult
from engine.core.relations import union
from engine.core.suppression import incomparable, listed_records, unproven
from engine.core.verdict import blocked, passed, warned
from engine.segments.compute import Session
from engine.steps.consent import Consent
from engine.steps.erased import barred
from engine.steps.facts import Sync, Tools
from engine.steps.suppression import Applying, applying, suppressed

LISTS = "suppression.lists"
APPLIED = "suppression.applied"


@dataclass(frozen=True, slots=True)
class KeptOut:
    """``pk``, once, and ``reason`` of such rows (None when there can be none), and the lists that were asked."""

    rows: Table | None
    lists: Applying | None


NOBODY = KeptOut(None, None)


def kept_out(tools: Tools, session: Session, sync: Sync, rows: Table) -> KeptOut:
    """Which of ``rows`` must not be sent; raises `StorageError` when a list cannot be read."""
    lists = applying(tools, session, sync)
    erasing = barred(tools, session, sync.dataset, rows)
    listed = suppressed(session, sync, lists, rows)
    if erasing is None or listed is None:
        return KeptOut(listed if erasing is None else erasing, lists)
    return KeptOut(session.cached(union(erasing, listed.anti_join(erasing, "pk"))), lists)


def refused_held(session: Session, sync: Sync, held: Table, consent: Consent, lists: Applying | None) -> Table | None:
    """``id``, once, and ``reason`` of what is held and must not be by the decisions and lists; None when there can be none.

    Told from what was delivered alone: a row may have left its dataset before its person decided.
    """
    mapping, found = sync.mapping, []
    if lists is not None and lists.columns:
        columns, kinds = tuple(lists.columns.items()), tuple(lists.lists.items())
        found.append(session.cached(listed_records(held, mapping.shape, sync.dataset.schema.key, columns, kinds)))
    if mapping.consent is not None and consent.register is not None and consent.subjects is not None:
        told = taken_back(held, consent.register, consent.subjects)
        found.append(told.anti_join(found[0], "id") if found else told)
    return session.cached(union(*found)) if found else None


def kept_out_of_plan(tools: Tools, session: Session, sync: Sync, plan: Table, rows: Table) -> list[Table]:
    """What of a plan that was made from ``rows`` may not leave any more.

    All that it sends, where a list came that nobody can hold against the dataset.
    """
    sent = plan.filter(plan["op"].notin(REMOVING))
    found = kept_out(tools, session, sync, rows)
    if found.lists is not None and found.lists.columns is None:
        return [sent]
    return [] if found.rows is None else [sent.semi_join(found.rows, "pk")]


def lists_usable(session: Session, sync: Sync, lists: Applying | None, rows: Table) -> list[CheckResult]:
    """Whether lists that a plan must honour can be held against ``rows``."""
    if lists is None:
        return []
    names = ", ".join(lists.names)
    if lists.columns is None:
        message = (
            f"the suppression list {names} keeps people away from {sync.target.name}, and the file of {sync.dataset.id} "
            "does not say which columns hold e-mails, phones or ids: write `identifiers: {COLUMN: email}`, or "
            "`identifiers: {}` where none does"
        )
        return [blocked(LISTS, message)]
    found = session.single(rows.aggregate(n=rows.count(where=incomparable(rows, lists.columns, lists.lists))))
    count = int(found["n"] or 0)
    if count:
        message = f"{count:,} rows have an identifier that is no e-mail or phone, so that no list can name it"
        return [warned(LISTS, message, {"incomparable": count})]
    return [passed(LISTS, f"held against {names}", {"incomparable": 0})]


def suppression_applied(
    session: Session, sync: Sync, lists: Applying | None, plan: Table, rows: Table
) -> list[CheckResult]:
    """The gate that derives anew that nothing leaves about anybody in a list, by another way than the planner."""
    if lists is None or lists.columns is None:
        return []
    found = unproven(plan, rows, lists.columns, lists.lists, sync.dataset.schema.key)
    count = int(session.single(found.aggregate(n=found.count()))["n"])
    if count:
        return [blocked(APPLIED, f"{count:,} planned records are in a suppression list", {"unproven": count})]
    return [passed(APPLIED, "no planned record is in a suppression list", {"unproven": 0})]
