"""Proof of a plan's consent, derived anew: from the rows and the register, and not from how the planner joined them.

A grant stands when nothing that is not a grant of now is as new as it is, for the same subject and purpose. Said like this
it shares no step with `engine.core.consent`, which takes the newest decision and looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import ibis
from ibis.expr.types import Table

from engine.core.canonical import key_text, text
from engine.core.desired import ConsentRule


def unproven(plan: Table, rows: Table, key: Sequence[str], register: Table, rule: ConsentRule, now: datetime) -> Table:
    """Rows of ``plan`` that would send something about a subject without a standing grant.

    ``rows`` are the version that was planned, ``register`` has the columns of `engine.core.consent.register_rows`.
    """
    subjects = rows.select(_pk=key_text([rows[c] for c in key]), _subject=text(rows[rule.subject]))
    sent = plan.filter(plan["op"] != "delete")
    named = sent.left_join(subjects, sent.pk == subjects["_pk"])
    standing = standing_grants(register, rule.purpose, now).select(_granted="subject")
    return named.anti_join(standing, named["_subject"] == standing["_granted"])


def standing_grants(register: Table, purpose: str, now: datetime) -> Table:
    """Each ``subject`` once whose consent to ``purpose`` stands at ``now``."""
    asked = register.filter(register.purpose == purpose)
    moment = ibis.literal(now, type="timestamp('UTC')")
    is_alive = (asked.expires_at.isnull() | (asked.expires_at > moment)).fill_null(False)
    is_grant = ((asked.status == "granted") & is_alive).fill_null(False)
    grants = (
        asked.filter(is_grant)
        .group_by("subject")
        .aggregate(newest_grant=asked.collected_at.max(), dated=asked.collected_at.notnull().any())
    )
    others = asked.filter(~is_grant)
    against = others.group_by(_against="subject").aggregate(
        newest_other=others.collected_at.max(),
        # What refuses and is not dated is newer than anything; a grant that ended and is not dated is older.
        undated=((others.status != "granted").fill_null(True) & others.collected_at.isnull()).any(),
        dated_other=others.collected_at.notnull().any(),
    )
    both = grants.left_join(against, grants.subject == against["_against"])
    overruled = both.undated | (both.dated_other & ~both.dated) | (both.newest_other >= both.newest_grant)
    return both.filter(both["_against"].isnull() | ~overruled.fill_null(False)).select("subject")
