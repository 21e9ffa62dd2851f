"""A schedule is told as the project's files write it."""

from __future__ import annotations

import pytest

from engine.core.names import DatasetId, SyncId
from engine.service.schedules import Scheduled


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(1, "1ms"), (5_000, "5s"), (90_000, "90s"), (600_000, "10m"), (7_200_000, "2h"), (86_400_000, "1d")],
)
def test_an_interval_is_told_in_the_largest_whole_unit(milliseconds: int, text: str) -> None:
    scheduled = Scheduled(SyncId("s"), DatasetId("d@1"), "hook", (), "coalesce", every_milliseconds=milliseconds)

    assert scheduled.text == f"every {text}"
