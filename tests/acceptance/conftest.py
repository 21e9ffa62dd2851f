"""A project of three people and the destination that they are delivered to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given import Played
from tests.projects import Outcome, TestProject
from tests.receiver import Address, Receiver, addressed


@pytest.fixture(scope="session")
def address() -> Iterator[Address]:
    """One for all tests of a process, for it stands in the files of their projects."""
    with addressed() as running:
        yield running


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played[Outcome]:
    return Played(tmp_path_factory.mktemp("played"))


@pytest.fixture
def receiver(address: Address) -> Iterator[Receiver]:
    with address.lent(Receiver()) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver, played: Played[Outcome]) -> Iterator[TestProject]:
    """Whatever a test did with it, the ledger and the destination's own record must agree in the end."""
    made = TestProject(tmp_path, receiver.url)
    made.remember(played, receiver)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    yield made
    if (tmp_path / ".tidegate" / "ledger.db").exists():
        made.checked(receiver)
