"""A project of three people and the destination that they are delivered to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import TestProject
from tests.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[TestProject]:
    """Whatever a test did with it, the ledger and the destination's own record must agree in the end."""
    made = TestProject(tmp_path, receiver.url)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    yield made
    if (tmp_path / ".tidegate" / "ledger.db").exists():
        made.checked(receiver)
