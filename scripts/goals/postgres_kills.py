"""G2: kills, immediate restarts of the database server and terminated sessions on PostgreSQL (P1-P3, P5, S13-S15)."""

from __future__ import annotations

from chaos_lab.blows import Wanted
from goals.goal import Effort, Goal, Numbers
from goals.kills import storm_broken, stormed

KILLS, RESTARTS, TERMINATIONS = 500, 300, 500


def _measure(effort: Effort) -> Numbers:
    wanted = Wanted(effort.of(KILLS), effort.of(RESTARTS), effort.of(TERMINATIONS))
    return stormed("postgres", wanted, effort.seed)


GOAL = Goal(
    id="G2",
    title="500 kills, 300 server restarts and 500 ended sessions on PostgreSQL: nothing lost, nothing twice",
    measure=_measure,
    broken=storm_broken,
    share=0.012,
)
