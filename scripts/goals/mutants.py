"""G20, its second part: of small faults planted anywhere in the decisions and the delivery, tests notice nearly all.

Faults are sampled over `engine/core` and `engine/delivery`, each alone in a copy of the tree; the tests of those folders run
there and those that name the module, then the properties of the planner. Who survived is told on stderr by file and line: it is a missing test, or a
change that means the same.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx  # noqa: F401  # these are here for the processes that are forked from this one, which need them at once
import ibis.backends.duckdb  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pydantic  # noqa: F401
import pytest
import sqlalchemy  # noqa: F401
import yaml  # noqa: F401
from chaos_lab.storm import LANES, in_lanes
from goals.goal import Effort, Goal, Numbers
from goals.mutations import mutations

from tests.seeded_bugs.bank import ROOT, copy_tree

MUTANTS = 200
FOLDERS = ("engine/core", "engine/delivery")
TESTS = ("tests/core", "tests/delivery")
SLOW = frozenset({"acceptance", "chaos", "crash", "property", "seeded_bugs"})
"""Folders whose tests take seconds each."""
PROPERTIES = "tests/property/test_planning.py"
PLANNERS = frozenset({"desired", "plan", "state", "compare"})
"""Modules of which the properties of the planner are asked, when no other test noticed anything."""
CPU_SECONDS_MAX = 90
SECONDS_MAX = 400.0
"""A mutant may wait for ever, or compute for ever; on a busy machine the first takes long to tell."""
KILLED_SHARE_MIN = 0.85
SAID = "said.txt"
IGNORED = "ignore::pytest.PytestAssertRewriteWarning"
OURS = ("tests", "engine", "destinations", "config", "goals", "chaos_lab")
KILLED, SURVIVED, UNSOUND = (
    "mutants that a test noticed",
    "mutants that survived",
    "lanes whose tests fail without a mutant",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one fault in it."""

    file: str
    line: int
    what: str
    text: str


def measure(effort: Effort) -> Numbers:
    sample = _sample(random.Random(effort.seed), effort.of(MUTANTS))
    fates = [fate for lane in in_lanes(_lane, [sample[lane::LANES] for lane in range(LANES)]) for fate in lane]
    ends = Counter(end for end, _ in fates)
    for end, told in sorted(fates):
        if end in {"survived", "unsound"}:
            print(f"  {end} {told}", file=sys.stderr)
    return {
        "mutants": len(sample),
        "modules": len({mutant.file for mutant in sample}),
        KILLED: ends["killed"] + ends["too slow"],
        "of these by the time that they took": ends["too slow"],
        SURVIVED: ends["survived"],
        UNSOUND: ends["unsound"],
        "share that was noticed": round((ends["killed"] + ends["too slow"]) / len(sample), 3),
    }


def _sample(dice: random.Random, count: int) -> list[Mutant]:
    """Each place in the code is as likely as any other."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.py")):
        source = path.read_text(encoding="utf-8")
        found += [(path.relative_to(ROOT).as_posix(), source, mutation) for mutation in mutations(source)]
    return [Mutant(name, m.line, m.what, m.text(source)) for name, source, m in dice.sample(found, count)]


def _lane(mutants: Sequence[Mutant]) -> list[tuple[str, str]]:
    """How each mutant of this lane ended, and its place. Tests import our modules from there, and other people's not again."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    with tempfile.TemporaryDirectory(prefix="tidegate-mutants-") as folder:
        copy_tree(Path(folder))
        if _tested(Path(folder), TESTS) != "survived":
            return [("unsound", (Path(folder) / SAID).read_text(encoding="utf-8")[-2000:])]
        return [(_fate(Path(folder), mutant), f"{mutant.file}:{mutant.line} {mutant.what}") for mutant in mutants]


def _fate(folder: Path, mutant: Mutant) -> str:
    path = folder / mutant.file
    sound = path.read_text(encoding="utf-8")
    path.write_text(mutant.text, encoding="utf-8")
    try:
        end = _tested(folder, [*_closest(folder, mutant.file), *TESTS])
        is_planner = Path(mutant.file).stem in PLANNERS
        return _tested(folder, [PROPERTIES]) if end == "survived" and is_planner else end
    finally:
        path.write_text(sound, encoding="utf-8")


def _closest(folder: Path, file: str) -> list[str]:
    """Test files of whatever folder that name the module: most likely the first to notice, its own before the others."""
    module = file.removesuffix(".py").replace("/", ".")
    paths = sorted((folder / "tests").rglob("test_*.py"))
    paths.sort(
        key=lambda path: (path.stem != f"test_{module.rpartition('.')[2]}", f"tests/{path.parent.name}" not in TESTS)
    )
    named = [path for path in paths if f"from {module} import" in path.read_text(encoding="utf-8")]
    return [path.relative_to(folder).as_posix() for path in named if path.parent.name not in SLOW]


def _tested(folder: Path, tests: Sequence[str]) -> str:
    """Run tests in a process of their own, forked from this one."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _test(folder, tests)
    until = time.perf_counter() + SECONDS_MAX
    while time.perf_counter() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
            return "survived" if status == 0 else "too slow" if late else "killed"
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "too slow"


def _test(folder: Path, tests: Sequence[str]) -> None:
    """In the child: never returns."""
    code = 70
    try:
        said = os.open(folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX + 5))
        os.chdir(folder)
        os.environ |= {"TIDEGATE_TEST_SHRINK": "no", "PYTHONPATH": str(folder)}
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(folder))
        options = ["--quiet", "--exitfirst", "-p", "no:xdist", "-p", "no:faulthandler", "-m", "not slow", "-W", IGNORED]
        code = int(pytest.main([*options, *tests]))
    finally:
        os._exit(code)


def broken(numbers: Numbers) -> list[str]:
    told = []
    if numbers[UNSOUND] or numbers[KILLED] + numbers[SURVIVED] < numbers["mutants"]:
        told.append("not every mutant was tried in a copy whose tests pass")
    if numbers["mutants"] >= 50 and numbers["share that was noticed"] < KILLED_SHARE_MIN:
        told.append(f"only {numbers['share that was noticed']:.0%} of the mutants were noticed")
    return told


GOAL = Goal("G20", "a small fault in a decision or in the delivery is noticed", measure, broken, share=0.02)
