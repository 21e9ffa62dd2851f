"""G7: nothing about somebody is dispatched once the withdrawal of consent is recorded, wherever in a run it falls.

Withdrawals at every point that a run passes, among refusals, silences, lost answers and crashes, on a clock that only
waits move; then withdrawals by one process while another delivers, timed until the last byte about the person.
"""

from __future__ import annotations

from goals.goal import Effort, Goal, Numbers, never
from goals.interleavings import INTERLEAVINGS, POINTS, measure_interleavings
from goals.races import RACES, measure_races

SECONDS_MAX = 1.0
"""From the record of a withdrawal to the last call about the person, beside the time a call may take; 99 of 100."""
ZEROS = (
    "windows dispatched after a withdrawal",
    "calls after the one in flight",
    "withdrawals that left nothing owed",
    "people who were still held in the end",
    "stories that the checker refuses",
    "races: windows dispatched after a withdrawal",
    "races: people who were still held in the end",
)


def measure(effort: Effort) -> Numbers:
    return {**measure_interleavings(effort), **measure_races(effort)}


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    if numbers["withdrawals during a run"] < numbers["withdrawals wanted"]:
        told.append("fewer withdrawals fell into a run than intended")
    if numbers["withdrawals wanted"] >= INTERLEAVINGS / 4 and numbers["points that withdrawals fell on"] < len(POINTS):
        told.append("a point of a run was met by no withdrawal")
    if numbers["races"] >= RACES / 4 and 2 * numbers["races: withdrawals while it was delivered"] < numbers["races"]:
        told.append("most races were over before they began")
    if not numbers["windows that were looked at again"]:
        told.append("no withdrawal fell between a look and the record of its window")
    allowed = SECONDS_MAX + numbers["races: seconds that a call may take"]
    if numbers["races: seconds to the last call, 99 of 100"] > allowed:
        told.append(f"a call about somebody came more than {allowed:.0f} s after the withdrawal")
    return told


GOAL = Goal("G7", "nothing is dispatched about who took consent back", measure, broken, share=0.004)
