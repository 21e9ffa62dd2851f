"""How long a server asks to wait: honoured in every form of RFC 9110, bounded, and never a reason to fail."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.waiting import RETRY_AFTER_MAX, retry_after

DATE = "Wed, 25 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("1000000000", RETRY_AFTER_MAX.total_seconds()),
        ("999999999999", RETRY_AFTER_MAX.total_seconds()),
        ("Wed, 25 Nov 2026 08:00:30 GMT", 30),
        ("Wed, 25 Nov 2026 09:00:30 +0100", 30),
        ("Wednesday, 25-Nov-26 08:00:30 GMT", 30),
        ("Wed Nov 25 08:00:30 2026", 30),
        ("Wed, 25 Nov 2026 07:59:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_MAX.total_seconds()),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
        ("", None),
        ("-1", None),
        ("1e3", None),
        ("0x10", None),
        ("NaN", None),
        ("\u0663".encode().decode("latin-1"), None),
        ("soon", None),
        ("Wed, 32 Nov 2026 08:00:30 GMT", None),
        ("Wed, 25 Nov 99999999999999999999 08:00:30 GMT", None),
        ("Wed, 25 Nov 2026 99999999999999999999:00:30 GMT", None),
        ("Wed, 25 Nov 2026 08:00:30 +99999999999999999999", None),
        ("9" * 60_000, None),
    ],
)
def test_retry_after_is_honoured_and_bounded_and_nonsense_is_as_if_absent(written: str, seconds: float | None) -> None:
    """D1; a wait that the server did not ask for in a form that can be read is left to the engine's own backoff."""
    response = httpx.Response(429, headers={"retry-after": written.encode("latin-1"), "date": DATE})

    assert retry_after(response) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("second", ["5", "10", DATE])
def test_two_retry_after_fields_contradict_each_other_and_count_as_none(second: str) -> None:
    response = httpx.Response(429, headers=[("retry-after", "5"), ("retry-after", second), ("date", DATE)])

    assert retry_after(response) is None


@pytest.mark.parametrize("day", ["Tue, 24 Nov 2026 08:00:00 GMT", DATE, "Thu, 26 Nov 2026 08:00:00 GMT"])
def test_a_date_is_measured_from_the_servers_own_clock_whatever_ours_says(day: str) -> None:
    later = day.replace("08:00:00", "08:00:45")

    assert retry_after(httpx.Response(503, headers={"retry-after": later, "date": day})) == timedelta(seconds=45)


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 25 Nov 99999999999999999999 08:00:00 GMT"])
def test_a_date_to_retry_after_says_nothing_when_the_server_does_not_say_its_own_time(date: str) -> None:
    response = httpx.Response(503, headers={"retry-after": "Wed, 25 Nov 2026 08:00:30 GMT", "date": date})

    assert retry_after(response) is None


@given(written=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")), date=st.sampled_from(["", DATE]))
def test_no_retry_after_raises_or_gives_a_wait_outside_its_bounds(written: str, date: str) -> None:
    response = httpx.Response(429, headers={"retry-after": written.encode("latin-1"), "date": date})

    wait = retry_after(response)

    assert wait is None or timedelta(0) <= wait <= RETRY_AFTER_MAX
