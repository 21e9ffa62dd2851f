"""Text that is safe to print and easy to read: nothing in a value may steer the terminal, and numbers have units."""

from __future__ import annotations

from datetime import datetime

_JOINERS = frozenset("\u200c\u200d")
"""Unprintable by Unicode's book, yet part of ordinary words and emoji."""


def plain(text: str) -> str:
    r"""``text`` on one line, with every character that could move the cursor, reorder or hide text made visible.

    Control characters, ANSI escapes, bidirectional overrides, odd spaces and lone surrogates come out as ``\x1b``.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else _visible(c) for c in text)


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def number(value: int) -> str:
    """``1,234``."""
    return f"{value:,}"


def count(value: int, noun: str) -> str:
    """``1 record``, ``1,234 records``."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def size(value: int) -> str:
    """Bytes in decimal units: ``1.2 MB``."""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def seconds(value: float) -> str:
    """``0.42 s``, ``12.3 s``, ``2 min 5 s``, ``1 h 3 min``."""
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def age(value: float | None) -> str:
    """Seconds as one number and unit, ``45s``, ``12m``, ``3h``, ``5d``, rounded down; nothing is empty."""
    if value is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if value >= size:
            return f"{int(value // size):,}{unit}"
    return f"{int(value)}s"


def moment(text: str) -> str:
    """An ISO 8601 time to the second; what is not one stays as it is, and nothing is a dash."""
    if not text:
        return "-"
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S%z}".replace("+0000", "Z")
    except ValueError:
        return text
