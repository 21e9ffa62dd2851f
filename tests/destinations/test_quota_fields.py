"""An answer that says that no call is left is believed, in each form in which servers say it."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from destinations.waiting import RETRY_AFTER_MAX, exhausted_for

DATE = "Wed, 25 Nov 2026 08:00:00 GMT"
UNIX = 1_795_593_600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"default";r=0;t=30'}, 30),
        ({"ratelimit": '"burst";r=5;t=1, "daily";r=0;t=600'}, 600),
        ({"ratelimit": "limit=100, remaining=0, reset=12"}, 12),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2.5"}, 2.5),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(UNIX + 40), "date": DATE}, 40),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(UNIX - 40), "date": DATE}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "999999999"}, RETRY_AFTER_MAX.total_seconds()),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(UNIX + 40)}, None),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "7"}, None),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "7"}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "none", "x-ratelimit-reset": "soon"}, None),
        ({"ratelimit": '"default";r=;t=x, ;;="'}, None),
        ({}, None),
    ],
)
def test_a_quota_without_calls_left_gives_the_time_until_it_is_renewed(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert exhausted_for(httpx.Response(200, headers=headers)) == (
        None if seconds is None else timedelta(seconds=seconds)
    )
