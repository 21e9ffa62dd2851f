"""Whether the people whom decisions are about stand in the datasets of the syncs that ask them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.core.canonical import text
from engine.core.consent import loosely
from engine.core.names import SegmentRef
from engine.core.relations import union
from engine.steps.consent import newest_version
from engine.steps.facts import Sync, Tools
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class Known:
    """How many subjects no row has, and how many of them one has but for blanks, case or Unicode form."""

    unmatched: int
    nearly: int


def known_subjects(tools: Tools, syncs: Sequence[Sync], decisions: SegmentRef) -> Known:
    """Compare the subjects of some decisions with the newest versions that these syncs send from; none when there are none."""
    with tools.compute.session() as session:
        people = []
        for sync in syncs:
            version = newest_version(tools, sync.dataset.id)
            if sync.mapping.consent is not None and version:
                rows = snapshot_table(tools, session, sync.dataset.id, version)
                people.append(rows.select(subject=text(rows[sync.mapping.consent.subject])))
        if not people:
            return Known(0, 0)
        rows = session.cached(union(*people, distinct=True))
        decided = session.table(tools.storage.local(decisions)).select("subject").distinct()
        unmatched = session.cached(decided.anti_join(rows, "subject"))
        forms = unmatched.select(form=loosely(unmatched.subject))
        near = forms.semi_join(rows.select(form=loosely(rows.subject)), "form")
        found = session.single(unmatched.aggregate(n=unmatched.count()))
        return Known(int(found["n"]), int(session.single(near.aggregate(n=near.count()))["n"]))
