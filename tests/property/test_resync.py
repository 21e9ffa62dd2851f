"""Whatever came before, and whatever a destination lost, kept or was given back since: a resync makes it right."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.effort import examples
from tests.property.test_rollback import PEOPLE, RUNS, STEPS, SYNC, People, Step, Version, World
from tests.receiver import receiving

FOREIGN = {"of another tool": {"name": "Zed"}}
Fields: TypeAlias = dict[str, object]
GIVEN_BACK: st.SearchStrategy[Fields] = st.just({"name": "somebody else's", "score": -1.0})
DAMAGE = st.dictionaries(st.integers(1, 4).map(str), st.one_of(st.none(), GIVEN_BACK))
"""By match key what is held now: nothing, or other values; what was never delivered cannot come back."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@examples(4)
@given(first=PEOPLE, steps=st.lists(STEPS, max_size=4), damage=DAMAGE, runs=RUNS)
def test_whatever_a_destination_lost_a_resync_brings_it_back(
    first: People, steps: list[Step], damage: dict[str, Fields | None], runs: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        world = World(Path(folder), receiver, runs)
        listed = Path(folder) / "list.csv"
        listed.write_text("subject,purpose,status\n" + "".join(f"{n},email,granted\n" for n in range(1, 5)))
        world.project.run("consent", "import", str(listed))
        world.granted = {1, 2, 3, 4}
        for step in (Version(first), *steps):
            world.take(step)
        ever = {r["id"] for one in receiver.journal for r in one.records}
        for key, fields in damage.items():
            receiver.records.pop(key, None)
            if fields is not None and key in ever:
                receiver.records[key] = dict(fields)
        receiver.records |= {key: dict(fields) for key, fields in FOREIGN.items()}

        assert world.project.run("resync", SYNC, "--yes").code == 0

        assert receiver.records == {**world.wanted(), **FOREIGN}
        calls = len(receiver.journal)
        assert world.project.run("rollback", SYNC, "--to", str(len(world.versions)), "--yes").code == 0
        assert world.pinned or len(receiver.journal) == calls, "everything is settled"
        world.project.checked(receiver)
