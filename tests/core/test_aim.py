"""Which version a destination is brought to."""

from __future__ import annotations

import pytest

from engine.core.aim import aim
from engine.core.names import VersionNumber


@pytest.mark.parametrize(
    ("newest", "withdrawn", "bound", "aimed"),
    [
        (5, [], None, 5),
        (5, [5, 4], None, 3),
        (5, [], 3, 3),
        (5, [3], 3, 2),
        (2, [], 3, 2),
        (2, [2], None, 1),
        (2, [1, 2], None, 0),
        (0, [], None, 0),
    ],
)
def test_the_newest_version_within_the_bound_that_nobody_withdrew(
    newest: int, withdrawn: list[int], bound: int | None, aimed: int
) -> None:
    bad = [VersionNumber(number) for number in withdrawn]

    assert aim(VersionNumber(newest), bad, None if bound is None else VersionNumber(bound)) == aimed
