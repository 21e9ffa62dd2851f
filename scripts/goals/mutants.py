"""G20, its second part: of small faults planted anywhere in the decisions and the delivery, tests notice nearly all.

Faults are sampled over `engine/core` and `engine/delivery`, each alone in a copy of the tree. Asked are the tests of those
folders, those of others that name one of their modules, and the properties of the planner: of a fault in a function those that
enter it, of a fault between functions the tests of both folders and those that name the module. Who survived is told on stderr
by file and line: it is a missing test, or a change that means the same.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import TypeVar

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
from goals.planting import exchangeable, loaded
from goals.reaching import Reach, first_failed, reached

from tests.seeded_bugs.bank import ROOT, copy_tree

MUTANTS = 200
FOLDERS = ("engine/core", "engine/delivery")
TESTS = ("tests/core", "tests/delivery")
SLOW = frozenset({"acceptance", "chaos", "crash", "property", "seeded_bugs"})
"""Folders whose tests take seconds each."""
PROPERTIES = "tests/property/test_planning.py"
CPU_SECONDS_MAX = 90
SECONDS_MAX = 400.0
"""A mutant may compute for ever, or wait for ever; on a busy machine the second takes long to tell."""
KILLED_SHARE_MIN = 0.85
NOTICING = 1
"""The exit code of a process whose tests failed."""
QUICK = "not slow and not crash and not scale"
SAID = "said.txt"
NOTICED = Path("noticed.txt")
"""In the copy, where tests run."""
IGNORED = "ignore::pytest.PytestAssertRewriteWarning"
OURS = ("tests", "engine", "destinations", "config", "goals", "chaos_lab")
Found = TypeVar("Found")
KILLED, SURVIVED, FAILED = "mutants that a test noticed", "mutants that survived", "tests that fail without a mutant"
FAILED_MAX = 5
"""Tests that a busy machine may fail; they are asked nothing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one fault in it."""

    file: str
    line: int
    function: str
    what: str
    sound: str
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The mutants that one process tries, and which tests enter which functions."""

    mutants: Sequence[Mutant]
    reach: Reach


def measure(effort: Effort) -> Numbers:
    sample = _sample(random.Random(effort.seed), effort.of(MUTANTS))
    ((tests, seconds, failed),) = in_lanes(_reached, [FOLDERS])
    reach = Reach(tests, seconds, failed)
    lanes = [Lane(sample[lane::LANES], reach) for lane in range(LANES)]
    fates = [fate for lane in in_lanes(_lane, lanes) for fate in lane]
    ends = Counter(end for end, _ in fates)
    for end, told in sorted(fates):
        if end == "survived":
            print(f"  {end} {told}", file=sys.stderr)
    for test in reach.failed:
        print(f"  fails without a mutant: {test}", file=sys.stderr)
    return {
        "mutants": len(sample),
        "modules": len({mutant.file for mutant in sample}),
        KILLED: ends["killed"] + ends["too slow"],
        "of these by the time that they took": ends["too slow"],
        SURVIVED: ends["survived"],
        FAILED: len(reach.failed),
        "share that was noticed": round((ends["killed"] + ends["too slow"]) / len(sample), 3),
    }


def _sample(dice: random.Random, count: int) -> list[Mutant]:
    """Each place in the code is as likely as any other."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.py")):
        source = path.read_text(encoding="utf-8")
        found += [(path.relative_to(ROOT).as_posix(), source, mutation) for mutation in mutations(source)]
    return [
        Mutant(name, m.line, m.function, m.what, source, m.text(source))
        for name, source, m in dice.sample(found, count)
    ]


def _reached(folders: Sequence[str]) -> tuple[Mapping[str, Sequence[str]], Mapping[str, float], Sequence[str]]:
    """What a `Reach` is made of: our own classes are imported anew in this process, and would be others to the asker."""
    with _copied() as folder:
        found = _collected(folder, lambda items: reached(items, folder, folders))
        return found.tests, found.seconds, found.failed


def _lane(lane: Lane) -> list[tuple[str, str]]:
    """How each mutant of this lane ended, and its place."""
    codes = {mutant: exchangeable(mutant.sound, mutant.text, mutant.function) for mutant in lane.mutants}
    with _copied() as folder:
        # Those first that need new imports: what was imported once could not be taken back.
        fates = [(_imported(folder, mutant), mutant) for mutant, code in codes.items() if code is None]

        def exchanged(items: Sequence[pytest.Item]) -> list[tuple[str, Mutant]]:
            functions, named = loaded(folder, FOLDERS), {item.nodeid: item for item in items}
            ends = list[tuple[str, Mutant]]()
            for mutant, code in codes.items():
                if code is not None:
                    tests = [named[test] for test in lane.reach.of(mutant.file, mutant.function)]
                    # Under watch, and so longer than without.
                    seconds = sum(lane.reach.seconds[test.nodeid] for test in tests)
                    function = functions.get((mutant.file, mutant.function))
                    ends.append((_exchanged(function, code, tests, seconds) if function else "survived", mutant))
            return ends

        fates += _collected(folder, exchanged)
    return [(end, f"{mutant.file}:{mutant.line} {mutant.what}") for end, mutant in fates]


@contextlib.contextmanager
def _copied() -> Iterator[Path]:
    """A copy of the tree. Tests import our modules from there, and other people's not again."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    with tempfile.TemporaryDirectory(prefix="tidegate-mutants-") as folder:
        copy_tree(Path(folder))
        yield Path(folder)


def _collected(folder: Path, work: Callable[[Sequence[pytest.Item]], Found]) -> Found:
    """What ``work`` gives for the tests that can notice something, collected in this process."""
    found = list[Found]()

    class Working:
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            found.append(work(session.items))
            return True

    paths = sorted(path.relative_to(folder).as_posix() for path in _quick(folder) if _names(path, FOLDERS))
    _pytest(folder, [*TESTS, *(path for path in paths if not path.startswith(TESTS)), PROPERTIES], Working())
    assert found, (folder / SAID).read_text(encoding="utf-8")[-2000:]
    return found[0]


def _imported(folder: Path, mutant: Mutant) -> str:
    """How a mutant ends whose module is imported with it."""
    path = folder / mutant.file
    path.write_text(mutant.text, encoding="utf-8")
    try:
        return _fate(lambda: _pytest(folder, [*_closest(folder, mutant.file), *TESTS]) == 0)
    finally:
        path.write_text(mutant.sound, encoding="utf-8")


def _exchanged(function: FunctionType, code: CodeType, tests: Sequence[pytest.Item], seconds: float) -> str:
    """How a mutant ends whose code stands in the place of a function's that is loaded; without it tests take ``seconds``.

    Only a test that passes without it has noticed it: on a busy machine others may fail.
    """
    if not tests:
        return "survived"

    def is_unnoticed() -> bool:
        function.__code__ = code
        failed = first_failed(tests)
        NOTICED.write_text("" if failed is None else failed.nodeid, encoding="utf-8")
        return failed is None

    NOTICED.write_text("", encoding="utf-8")
    end = _fate(is_unnoticed, min(CPU_SECONDS_MAX, 10 + math.ceil(10 * seconds)))
    noticed = NOTICED.read_text(encoding="utf-8")
    alone = [test for test in tests if test.nodeid == noticed]
    if alone and _fate(lambda: first_failed(alone) is None) != "survived":
        return _exchanged(function, code, [test for test in tests if test not in alone], seconds)
    return end


def _closest(folder: Path, file: str) -> list[str]:
    """Test files of whatever folder that name the module: most likely the first to notice, its own before the others."""
    module = file.removesuffix(".py")
    paths = [path for path in _quick(folder) if _names(path, [module])]
    paths.sort(key=lambda path: (path.stem != f"test_{Path(module).stem}", f"tests/{path.parent.name}" not in TESTS))
    return [path.relative_to(folder).as_posix() for path in paths]


def _quick(folder: Path) -> list[Path]:
    paths = sorted((folder / "tests").rglob("test_*.py"))
    return [path for path in paths if path.relative_to(folder).parts[1] not in SLOW]


def _names(path: Path, modules: Sequence[str]) -> bool:
    """Whether a test file imports from one of these modules or packages."""
    text = path.read_text(encoding="utf-8")
    return any(re.search(rf"^from {re.escape(name.replace('/', '.'))}\b", text, re.MULTILINE) for name in modules)


def _fate(passing: Callable[[], bool], cpu_seconds_max: int = CPU_SECONDS_MAX) -> str:
    """Whether tests still pass in a process of their own, forked from this one."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        code = 70
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds_max, cpu_seconds_max + 5))
            code = 0 if passing() else NOTICING
        finally:
            os._exit(code)
    until = time.perf_counter() + SECONDS_MAX
    while time.perf_counter() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in {0, NOTICING}:
                return "not tried"
            return "survived" if status == 0 else "too slow" if late else "killed"
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "too slow"


def _pytest(folder: Path, tests: Sequence[str], plugin: object | None = None) -> int:
    """Run pytest in this process, which says what it says in a file from now on."""
    said = os.open(folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(folder)
    temporary = folder / "t"
    temporary.mkdir(exist_ok=True)
    os.environ |= {"TIDEGATE_TEST_SHRINK": "no", "PYTHONPATH": str(folder), "PYTEST_DEBUG_TEMPROOT": str(temporary)}
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    options = ["--quiet", "--exitfirst", "-p", "no:xdist", "-p", "no:faulthandler", "-m", QUICK, "-W", IGNORED]
    return int(pytest.main([*options, *tests], plugins=[] if plugin is None else [plugin]))


def broken(numbers: Numbers) -> list[str]:
    told = []
    if numbers[KILLED] + numbers[SURVIVED] < numbers["mutants"]:
        told.append("not every mutant was tried")
    if numbers[FAILED] > FAILED_MAX:
        told.append(f"{numbers[FAILED]:g} tests fail without a mutant")
    if numbers["mutants"] >= 50 and numbers["share that was noticed"] < KILLED_SHARE_MIN:
        told.append(f"only {numbers['share that was noticed']:.0%} of the mutants were noticed")
    return told


GOAL = Goal("G20", "a small fault in a decision or in the delivery is noticed", measure, broken, share=0.02)
