"""What a value rule demands, judged value by value in plain Python: the model that expressions are held to.

Formats are judged by other means than patterns: by the standard library's parsers and by walking over the text.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from engine.core.value_rules import Enumeration, Format, Length, Multiple, Pattern, Range, ValueDemand

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = frozenset("0123456789")
HEXADECIMAL = DIGITS | frozenset("abcdefABCDEF")
FREE = LETTERS | DIGITS | frozenset("-._~!$&'()*+,;=")


def is_met(demand: ValueDemand, value: Any) -> bool:  # whatever a column holds
    """Whether a value meets a demand; null is no value, and meets each."""
    if value is None:
        return True
    if isinstance(demand, Length):
        return demand.least <= len(value) and (demand.most is None or len(value) <= demand.most)
    if isinstance(demand, Pattern):
        return re.search(demand.text.replace("$", r"\Z"), value) is not None
    if isinstance(demand, Format):
        return FORMATS[demand](value)
    if isinstance(demand, Range):
        return _is_inside(demand, value)
    if isinstance(demand, Multiple):
        return _is_multiple(value, demand.of)
    assert isinstance(demand, Enumeration)
    return any(_same(value, each) for each in demand.values)


def _same(value: Any, written: Any) -> bool:
    return bool(value == (float(written) if isinstance(value, float) else written))


def _is_inside(wanted: Range, value: Any) -> bool:
    low, high = (
        float(end) if isinstance(value, float) and end is not None else end for end in (wanted.low, wanted.high)
    )
    above = low is None or (value > low if wanted.low_open else value >= low)
    return bool(above and (high is None or (value < high if wanted.high_open else value <= high)))


def _is_multiple(value: Any, of: Decimal) -> bool:
    if not isinstance(value, float):
        return (Fraction(value) / Fraction(of)).denominator == 1
    nearest = round(Fraction(value) / Fraction(of)) * Fraction(of)
    return float(nearest) == value


def _is_label(text: str) -> bool:
    return (
        1 <= len(text) <= 63
        and set(text) <= LETTERS | DIGITS | {"-"}
        and not (text.startswith("-") or text.endswith("-"))
    )


def _is_hostname(text: str) -> bool:
    return len(text) <= 253 and all(map(_is_label, text.split(".")))


def _is_email(text: str) -> bool:
    local, at, host = text.partition("@")
    atoms = local.split(".")
    allowed = LETTERS | DIGITS | set("!#$%&'*+/=?^_`{|}~-")
    is_local = len(local) <= 64 and all(atom and set(atom) <= allowed for atom in atoms)
    return bool(at) and is_local and "." in host and _is_hostname(host) and len(text) <= 254


def _is_address(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return text.isascii() and "%" not in text


def _is_uuid(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and set("".join(parts)) <= HEXADECIMAL


def _is_day(text: str) -> bool:
    try:
        found = date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError:
        return False
    return text == found.isoformat()


def _is_base64(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text or _loose(text)
    except ValueError:
        return False


def _loose(text: str) -> bool:
    """Bits beyond the last byte need not be zero for a text to be read."""
    return (
        len(text) % 4 == 0 and set(text.rstrip("=")) <= LETTERS | DIGITS | {"+", "/"} and len(text.rstrip("=")) % 4 > 1
    )


def _consists(text: str, allowed: frozenset[str]) -> bool:
    """Whether a text is made of some characters and of bytes written as ``%`` and two digits."""
    place = 0
    while place < len(text):
        if (
            text[place] == "%"
            and len(text[place + 1 : place + 3]) == 2
            and set(text[place + 1 : place + 3]) <= HEXADECIMAL
        ):
            place += 3
        elif text[place] in allowed:
            place += 1
        else:
            return False
    return True


def _is_uri(text: str) -> bool:
    before_fragment, _, fragment = text.partition("#")
    before_query, _, query = before_fragment.partition("?")
    scheme, colon, rest = before_query.partition(":")
    tail = FREE | set(":@/?")
    if not colon or scheme[:1] not in LETTERS or not set(scheme) <= LETTERS | DIGITS | set("+-."):
        return False
    if not scheme or not _consists(query, tail) or not _consists(fragment, tail):
        return False
    if not rest.startswith("//"):
        return _consists(rest, FREE | set(":@/"))
    authority, _, path = rest[2:].partition("/")
    user, at, host = authority.rpartition("@")
    if at and not _consists(user, FREE | {":"}):
        return False
    return _is_host(host) and _consists(path, FREE | set(":@/"))


def _is_host(host: str) -> bool:
    if host.startswith("["):
        literal, bracket, port = host[1:].partition("]")
        is_port = port == "" or (port.startswith(":") and set(port[1:]) <= DIGITS)
        is_future = literal[:1] in {"v", "V"} and "." in literal
        if is_future:
            version, _, name = literal[1:].partition(".")
            return (
                bool(bracket)
                and is_port
                and bool(version)
                and set(version) <= HEXADECIMAL
                and bool(name)
                and set(name) <= FREE | {":"}
            )
        return bool(bracket) and is_port and _is_address(ipaddress.IPv6Address, literal)
    name, _, port = host.partition(":")
    return set(port) <= DIGITS and _consists(name, FREE)


FORMATS: dict[Format, Callable[[str], bool]] = {
    Format.EMAIL: _is_email,
    Format.UUID: _is_uuid,
    Format.URI: _is_uri,
    Format.HOSTNAME: _is_hostname,
    Format.IPV4: lambda text: _is_address(ipaddress.IPv4Address, text),
    Format.IPV6: lambda text: _is_address(ipaddress.IPv6Address, text),
    Format.DATE: _is_day,
    Format.BYTE: _is_base64,
}
