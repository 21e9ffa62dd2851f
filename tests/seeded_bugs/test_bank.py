"""The tests have teeth: a planted fault is noticed by the test that is named for its invariant (G20)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.property.effort import MULTIPLIER
from tests.seeded_bugs.bank import ROOT, Bug, bugs, copy_tree, is_caught, passes

EVERY = 12 if MULTIPLIER == 1 else 1
"""One bug in so many is planted in an ordinary check, and each one when more examples are asked for."""


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        copy_tree(Path(folder))
        yield Path(folder)


def test_the_bank_holds_thirty_faults_that_fit_the_tree() -> None:
    bank = bugs()

    assert len(bank) >= 30
    for bug in bank:
        assert (ROOT / bug.file).read_text(encoding="utf-8").count(bug.old) == 1, bug.name
        assert (ROOT / bug.test.partition("::")[0]).exists(), bug.name


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_without_a_fault_the_same_tests_pass(copy: Path) -> None:
    assert passes([bug.test for bug in bugs()[::EVERY]], copy)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", bugs()[::EVERY], ids=lambda bug: bug.name)
def test_a_planted_fault_is_noticed(bug: Bug, copy: Path) -> None:
    assert is_caught(bug, copy), f"{bug.invariant}: nobody noticed that {bug.name}"
