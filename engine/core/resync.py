"""Send again: which part of the delivered state a person does not vouch for any more.

A record that is sent again is one in doubt that needs no further asking: whether the destination holds it is not known
any more, so that the next plan sends it, or removes it, whatever was acknowledged.
"""

from __future__ import annotations

from enum import StrEnum

import ibis
from ibis.expr.types import Table

from engine.core.state import DROPPED, FACTS, RESENT


class Scope(StrEnum):
    """Which records a person wants sent again."""

    ALL = "all"
    KEYS = "keys"
    WHERE = "where"
    REJECTED = "rejected"
    SINCE = "since"
    VERSIONS = "versions"
    RECONCILE = "reconcile"


def sent_again(rows: Table) -> Table:
    """State rows as they must be for the next plan to send them again; those that are so already are left out."""
    holds = rows.acked | rows.unknown
    attempts = holds.ifelse(RESENT, 0).cast("int64")
    is_so = (rows.unknown == holds) & rows.owed & (rows.attempts == attempts) & rows.tried.isnull()
    return rows.filter(~is_so).mutate(
        unknown=holds,
        owed=ibis.literal(True),
        attempts=attempts,
        tried=ibis.null("string"),
    )


def not_given_up(rows: Table) -> Table:
    """State rows whose payload no person gave up: that decision stands until somebody names the record."""
    return rows.filter(rows.attempts != DROPPED)


def orphans(sent: Table) -> Table:
    """State rows of records that were sent once and are not part of the state: the destination may hold them again.

    ``sent`` has ``id``, ``pk``, ``key``, ``subject`` and ``basis``. Unless it is wanted anew, the next plan removes what
    the sync's mode removes.
    """
    known = {
        "acked": ibis.literal(False),
        "unknown": ibis.literal(True),
        "owed": ibis.literal(True),
        "attempts": ibis.literal(RESENT).cast("int64"),
        "tried": ibis.null("string"),
        "gone": ibis.literal(False),
        "erase": ibis.literal(False),
        "inert": ibis.literal(False),
    }
    return sent.select(**{name: known.get(name, sent[name] if name in sent.columns else None) for name in FACTS})
