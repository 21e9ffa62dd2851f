"""Quarantined rows in a comparison: they are no part of desired state, and what is held of them is left as it is.

Nothing about such a row is sent, and its record does not become one that is gone: neither the record that was delivered
for it nor the one whose key it claims now. What is owed to a person is another matter, and leaves always: the removal of
a record whose subject does not consent, or is to be forgotten.
"""

from __future__ import annotations

import ibis
from ibis.expr.types import BooleanValue, Table

from engine.core.relations import union

LEFT_ALONE = "row quarantined"
"""The verdict of a record that is not removed because a quarantined row claims it."""
_UNOWED = ("gone", "re-keyed")
"""Reasons of removals that nobody is owed."""


def claims(records: Table, identities: Table) -> Table:
    """What quarantined rows claim: ``pk``, ``id``, and ``refused`` where the removal of that record is owed to a person.

    ``records`` are the desired records of the quarantined rows, ``identities`` those of the whole version. A row whose id
    a good row has claims nothing that is not that row's; of several that must not be sent, one speaks for the id.
    """
    others = identities.anti_join(records, "pk").semi_join(records, "id")
    place = ibis.row_number().over(group_by="id", order_by=["allowed", "pk"])
    ranked = records.select("id", "pk", "allowed").mutate(place=place)
    taken = ranked.id.isin(others.filter(others.id.notnull()).id)
    refused = ~ranked.allowed & (ranked.place == 0) & ranked.id.notnull() & ~taken
    return ranked.select("pk", "id", refused=refused.fill_null(False))


def without_claimed(records: Table, claimed: Table) -> Table:
    """Desired records in which quarantined rows have no id, so that nothing is desired of them.

    Those whose removal is owed keep it. All still say whether their subject may be sent.
    """
    speaking = records.pk.isin(claimed.filter(claimed.refused).pk)
    silent = records.pk.isin(claimed.pk)
    return records.mutate(id=ibis.cases((speaking, records.id), (silent, ibis.null("string")), else_=records.id))


def left_alone(judged: Table, claimed: Table) -> Table:
    """A comparison in which no record that a quarantined row claims, or was delivered for, is removed as gone."""
    named = claimed.filter(claimed.id.notnull())
    mine = judged.id.isin(named.id) | judged.pk.isin(claimed.pk)
    unowed = (judged["op"] == "delete") & judged.reason.isin(_UNOWED)
    return judged.mutate(verdict=(mine & unowed).fill_null(False).ifelse(LEFT_ALONE, judged.verdict))


def standing_changed(before: Table, after: Table) -> Table:
    """Keys, as text, of rows that are quarantined in one of two versions and not in the other."""
    keys, later = before.select("pk"), after.select("pk")
    return union(keys.anti_join(later, "pk"), later.anti_join(keys, "pk"))


def unheeded(plan: Table, quarantined: Table) -> Table:
    """Rows of a plan that would send something about a quarantined row, or remove its record though nobody is owed that.

    Derived from the plan and the quarantine alone, and not from how the planner left such rows out.
    """
    return plan.filter(~_owed(plan)).semi_join(quarantined, "pk")


def _owed(plan: Table) -> BooleanValue:
    return (plan["op"].isin(["delete", "unsubscribe"])) & ~plan.reason.isin(_UNOWED)
