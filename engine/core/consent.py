"""Consent as of a moment: the newest decision per subject and purpose, and whether it allows."""

from __future__ import annotations

from datetime import datetime

import ibis
from ibis.expr.types import Table

from engine.core.canonical import text

MOMENTS = ("collected_at", "expires_at")
"""Columns of a register that may be missing: then no decision is newer than another, and none expires."""
RECEIPT = "receipt_id"
"""Column of a register that may be missing: what proves a decision, in the register's own words."""


def register_rows(table: Table) -> Table:
    """What is judged of a dataset of kind consent, whatever further columns it has; subjects and receipts become text."""
    moments = {name: table[name] if name in table.columns else ibis.null("timestamp('UTC')") for name in MOMENTS}
    receipt = text(table[RECEIPT]) if RECEIPT in table.columns else ibis.null("string")
    return table.select("purpose", "status", subject=text(table.subject), receipt=receipt, **moments)


def decisions(register: Table, purpose: str) -> Table:
    """The newest decision per subject for one purpose, from `register_rows`: ``subject``, ``status``, ``expires_at``, ``receipt``.

    Of decisions collected at the same moment the one that grants nothing wins. A decision without a moment is older than
    any other when it grants, and newer when it does not: what is not known falls to the safe side.
    """
    of_purpose = register.filter(register.purpose == purpose)
    relevant = of_purpose.select(
        "subject",
        "status",
        "collected_at",
        "expires_at",
        "receipt",
        grants=(of_purpose.status == "granted").fill_null(False),
    )
    undated_refusal = relevant.collected_at.isnull() & ~relevant.grants
    newest_first = [
        undated_refusal.desc(),
        relevant.collected_at.desc(nulls_first=False),
        relevant.grants,
        relevant.receipt,
    ]
    place = ibis.row_number().over(group_by="subject", order_by=newest_first)
    first = relevant.mutate(_place=place).filter(lambda t: t["_place"] == 0)
    return first.select("subject", "status", "expires_at", "receipt")


def granted(decided: Table, now: datetime) -> Table:
    """``subject`` and ``receipt`` of newest decisions that are ``granted`` and have not expired; nothing else is consent."""
    alive = decided.expires_at.isnull() | (decided.expires_at > ibis.literal(now, type="timestamp('UTC')"))
    return decided.filter((decided.status == "granted") & alive).select("subject", "receipt")


def earliest_expiry(decided: Table, now: datetime) -> Table:
    """One row, one column ``until``: when the first decision that counts today ends, or null."""
    later = decided.expires_at > ibis.literal(now, type="timestamp('UTC')")
    return decided.filter((decided.status == "granted") & later).aggregate(until=decided.expires_at.min())
