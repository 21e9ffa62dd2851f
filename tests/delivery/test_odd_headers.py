"""Headers that no standard allows do not make an answer unreadable."""

from __future__ import annotations

from destinations.base import AllDelivered
from tests.corpus.answers import replied


def test_letters_beyond_ascii_in_a_header_leave_the_answer_as_it_is() -> None:
    headers = [(b"x-name", "Zoë".encode("latin-1")), (b"retry-after", "١".encode()), (b"x-raw", b"\xff\xfe")]
    assert replied(200, headers, b"{}") == AllDelivered()
