"""G1: processes are killed at random instants and named points while everything around them misbehaves (P1-P3, P5)."""

from __future__ import annotations

from collections.abc import Mapping

from chaos_lab.blows import Wanted
from chaos_lab.storm import Kind, storm
from chaos_lab.tally import NEVER, Tally
from goals.goal import Effort, Goal, Numbers, never

KILLS = 1_000
FINISHED_SHARE_MIN = 0.99
_WORDS: Mapping[str, str] = {
    "killed": "processes killed",
    "takeovers": "processes stopped, replaced and continued",
    "takeovers_beside": "of these while the successor held the lease",
    "sessions": "database sessions terminated",
    "restarts": "restarts of the database server",
    "disturbed": "calls disturbed by destination or network",
    "silences": "silences that the destination asked for",
    "requests": "calls that arrived",
    "records": "records that arrived",
    "again": "records that arrived again",
    "again_max": "records that might arrive again",
    "begun": "runs begun",
    "converging_runs_max": "runs until nothing was left to do, at most",
    "stale_calls": "calls by a process that had been replaced",
    "unknown": "outcomes recorded as unknown",
    "repeated_effects": "effects repeated for unknown outcomes",
    "duplicates": "duplicate effects",
    "missing": "records missing",
    "stale": "records stale",
    "stale_writes": "events by a process that had been replaced",
    "unverified": "ledgers that did not verify",
    "early": "calls in a silence that was asked for",
}
_BROKEN = "invariants that broke, as told on stderr"
_FINISHED = "runs that finished unattended (share)"


def stormed(ledger: Kind, wanted: Wanted, seed: int) -> Numbers:
    """What a storm counted, in words, and what had been wanted of it."""
    passed = storm(ledger, wanted, seed)
    tally = passed.tally
    return {
        **{f"{_WORDS[what]}, wanted": count for what, count in _wanted(wanted).items()},
        **{words: getattr(tally, name) for name, words in _WORDS.items()},
        "named points at which one was killed": sum("." in name for name in tally.kills),
        _FINISHED: _finished(tally),
        _BROKEN: float(passed.broken is not None),
    }


def storm_broken(numbers: Numbers) -> list[str]:
    """What must not be so of a storm."""
    found = never(numbers, _BROKEN, *(_WORDS[name] for name in NEVER))
    for words in [name for name in _WORDS.values() if f"{name}, wanted" in numbers]:
        if numbers[words] < numbers[f"{words}, wanted"]:
            found.append(f"{words}: {numbers[words]:g}, fewer than the {numbers[f'{words}, wanted']:g} wanted")
    for name in ("takeovers", "disturbed", "records", "again"):
        if not numbers[_WORDS[name]]:
            found.append(f"{_WORDS[name]}: none, so nothing was proved")
    if numbers[_WORDS["again"]] > numbers[_WORDS["again_max"]]:
        found.append("more records arrived again than a window a blow and a batch a disturbed call explain")
    if numbers[_FINISHED] < FINISHED_SHARE_MIN:
        found.append(f"only {numbers[_FINISHED]:.2%} of the runs finished unattended")
    return found


def _wanted(wanted: Wanted) -> dict[str, int]:
    counts = {"killed": wanted.kills, "restarts": wanted.restarts, "sessions": wanted.terminations}
    return {name: count for name, count in counts.items() if count}


def _finished(tally: Tally) -> float:
    return tally.finished / tally.begun if tally.begun else 0.0


def _measure(effort: Effort) -> Numbers:
    return stormed("sqlite", Wanted(effort.of(KILLS)), effort.seed)


GOAL = Goal(
    id="G1",
    title="1,000 kills at random instants on SQLite: nothing lost, nothing twice",
    measure=_measure,
    broken=storm_broken,
    share=0.02,
)
