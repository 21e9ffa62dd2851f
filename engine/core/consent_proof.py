"""Proof of a plan's consent, derived anew: from the rows and the register, and not from how the planner joined them.

A grant stands when nothing that is not a grant of now is as new as it is, for the same subject, purpose and channel. Said
like this it shares no step with `engine.core.consent`, which ranks decisions and looks at the newest, but for how one
decision is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import ibis
from ibis.expr.types import Table

from engine.core.canonical import key_text, text
from engine.core.consent import EVERY
from engine.core.consent_rule import REMOVING, ConsentRule
from engine.core.relations import union


def unproven(plan: Table, rows: Table, key: Sequence[str], register: Table, rule: ConsentRule, now: datetime) -> Table:
    """Rows of ``plan`` that would send something about a subject without a standing grant.

    ``rows`` are the version that was planned, ``register`` has the columns of `engine.core.consent.register_rows`.
    """
    subjects = rows.select(_pk=key_text([rows[c] for c in key]), _subject=text(rows[rule.subject]))
    sent = plan.filter(plan["op"].notin(REMOVING))
    named = sent.left_join(subjects, sent.pk == subjects["_pk"])
    standing = consenting(register, rule, now).select(_granted="subject")
    return named.anti_join(standing, named["_subject"] == standing["_granted"])


def consenting(register: Table, rule: ConsentRule, now: datetime) -> Table:
    """Each ``subject`` once who consents, as of ``now``, to as many of the rule's purposes as it takes."""
    each = union(
        *(
            _standing(register, rule.channel, purpose, now).mutate(purpose=ibis.literal(purpose))
            for purpose in rule.purposes
        )
    )
    people = each.group_by("subject").aggregate(purposes=each.purpose.nunique())
    return people.filter(people.purposes >= rule.purposes_needed).select("subject")


def _standing(register: Table, channel: str | None, purpose: str, now: datetime) -> Table:
    """Each ``subject`` once whose consent to one purpose, by one channel or by all, stands."""
    yes = _yes(register, purpose, now)
    no = _no(register, purpose, now, yes)
    pairs = yes.left_join(no, [yes.subject == no["_subject"], yes.line == no["_line"]])
    standing = pairs.filter(pairs.no.isnull() | (pairs.yes > pairs.no)).select("subject", "line", "yes")
    refused = no.anti_join(standing, [no["_subject"] == standing.subject, no["_line"] == standing.line])
    in_general = standing.filter(standing.line == EVERY)
    if channel is None:
        refused_somewhere = refused.filter(refused["_line"] != EVERY)
        return in_general.anti_join(refused_somewhere, in_general.subject == refused_somewhere["_subject"]).select(
            "subject"
        )
    refused_here = refused.filter(refused["_line"] == channel)
    general = in_general.anti_join(refused_here, in_general.subject == refused_here["_subject"])
    ended = refused.filter(refused["_line"] == EVERY).select(_of="_subject", ended="no")
    here = standing.filter(standing.line == channel).left_join(ended, [("subject", "_of")])
    here = here.filter(here.ended.isnull() | (here.yes > here.ended))
    return union(general.select("subject"), here.select("subject"), distinct=True)


def _yes(register: Table, purpose: str, now: datetime) -> Table:
    """The newest grant of now per ``subject`` and ``line``."""
    moment = ibis.literal(now, type="timestamp('UTC')")
    named = register.filter(register.status == "granted", register.purpose == purpose)
    channel_is_name = named.channel.isnull() | named.reach_channel.notnull()
    began = named.collected_at.isnull() | (named.collected_at <= moment)
    lasts = named.expires_at.isnull() | (named.expires_at > moment)
    of_now = named.filter(channel_is_name, began, lasts, named.subject.notnull())
    return of_now.group_by("subject", "reach", line=of_now.channel.fill_null(EVERY)).aggregate(yes=of_now.moment.max())


def _no(register: Table, purpose: str, now: datetime, yes: Table) -> Table:
    """The newest decision that is no grant of now, per ``_subject`` of ``yes`` and ``_line``.

    A refusal counts for everybody within its reach, a grant that ended for exactly its subject.
    """
    moment = ibis.literal(now, type="timestamp('UTC')")
    refusing = register.filter(
        (register.status != "granted").fill_null(True),
        register.reach_purpose.isnull() | (register.reach_purpose == purpose),
    )
    people = yes.select("subject", "reach").distinct()
    met = people.join(refusing.select("reach", "moment", line=refusing.reach_channel.fill_null(EVERY)), "reach")
    over = register.filter(
        register.status == "granted",
        register.purpose == purpose,
        register.channel.isnull() | register.reach_channel.notnull(),
        register.expires_at <= moment,
        register.collected_at.isnull() | (register.collected_at <= moment),
    )
    own = over.select("subject", "moment", line=over.channel.fill_null(EVERY))
    both = union(met.select("subject", "moment", "line"), own)
    return both.group_by(_subject="subject", _line="line").aggregate(no=both.moment.max())
