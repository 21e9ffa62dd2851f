"""One compute session for all examples of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.segments.compute import Compute, Session


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("512MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened
