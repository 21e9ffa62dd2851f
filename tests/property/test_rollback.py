"""Whatever versions, decisions and rollbacks came before: the destination holds the version that is wanted, consented to.

I16 and G21: a rollback is a plan to an older version under today's consent, and a rollback of a rollback undoes it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.projects import TestProject
from tests.property.effort import examples
from tests.receiver import Receiver, receiving

SYNC = "people_to_hook"
People: TypeAlias = dict[int, tuple[str | None, float | None]]
PEOPLE = st.dictionaries(
    st.integers(1, 4), st.tuples(st.sampled_from(["Ada", "Bo", None]), st.sampled_from([1.5, None])), min_size=1
)


@dataclass(frozen=True)
class Version:
    """The source changes, and a run brings it."""

    people: People


@dataclass(frozen=True)
class Decide:
    """Somebody gives or takes back consent."""

    subject: int
    status: str


@dataclass(frozen=True)
class RollBack:
    """To the version that is so many before the newest, as far as there is one."""

    back: int


@dataclass(frozen=True)
class LetGo:
    """The pin is taken away and a run follows."""


Step: TypeAlias = Version | Decide | RollBack | LetGo
STEPS: st.SearchStrategy[Step] = st.one_of(
    PEOPLE.map(Version),
    st.builds(Decide, st.integers(1, 4), st.sampled_from(["granted", "withdrawn"])),
    st.integers(0, 3).map(RollBack),
    st.just(LetGo()),
)


RUNS = st.sampled_from([None, 1, 2])
"""Of how many runs the plans are kept: what comes later must not depend on it."""


class World:
    """One project that keeps the plans of so many ``runs``, and what must be true of it."""

    def __init__(self, folder: Path, receiver: Receiver, runs: int | None) -> None:
        self.project = TestProject(folder, receiver.url, threads=2)
        self.project.attic = folder / "attic"
        retain = {} if runs is None else {"retain": {"runs": runs}}
        self.project.sync(SYNC, consent={"purpose": "email", "subject": "id"}, **retain)
        self.receiver = receiver
        self.versions: list[People] = []
        self.granted: set[int] = set()
        self.pinned: int | None = None

    def take(self, step: Step) -> None:
        """One step, as an operator takes it, and the run behind it."""
        match step:
            case Version(people):
                if not self.versions or people != self.versions[-1]:
                    self.versions.append(people)
                self.project.people(people)
                self._ran(self.project.run("run", SYNC).code)
            case Decide(subject, status):
                word = "grant" if status == "granted" else "withdraw"
                self.project.run("consent", word, "--subject", str(subject), "--purpose", "email")
                (self.granted.add if status == "granted" else self.granted.discard)(subject)
                self._ran(self.project.run("run", SYNC).code)
            case RollBack(back):
                self.pinned = max(1, len(self.versions) - back)
                self._ran(self.project.run("rollback", SYNC, "--to", str(self.pinned), "--yes").code)
            case LetGo():
                done = self.project.run("unpin", SYNC, "--yes").code
                assert done == (0 if self.pinned else 2)
                self.pinned = None
                self._ran(self.project.run("run", SYNC).code)
        assert self.receiver.records == self.wanted()

    def wanted(self) -> dict[str, dict[str, object]]:
        """The version that is wanted, as far as people consent."""
        people = self.versions[(self.pinned or len(self.versions)) - 1]
        return {
            str(number): {"name": name, "score": score}
            for number, (name, score) in people.items()
            if number in self.granted
        }

    @staticmethod
    def _ran(code: int) -> None:
        assert code == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@examples(4)
@given(first=PEOPLE, everybody=st.booleans(), steps=st.lists(STEPS, min_size=3, max_size=6), runs=RUNS)
def test_whatever_was_delivered_a_rollback_gives_the_older_version_under_todays_consent(
    first: People, everybody: bool, steps: list[Step], runs: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        world = World(Path(folder), receiver, runs)
        if everybody:
            listed = Path(folder) / "list.csv"
            listed.write_text("subject,purpose,status\n" + "".join(f"{n},email,granted\n" for n in range(1, 5)))
            world.project.run("consent", "import", str(listed))
            world.granted = {1, 2, 3, 4}
        for step in (Version(first), *steps, RollBack(1), LetGo()):
            world.take(step)
        world.project.checked(receiver)
