"""A sandbox with an empty store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.destinations.sandbox.visitor import Visitor, visiting


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path / "store") as visitor:
        yield visitor
