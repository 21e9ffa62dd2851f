"""What the formats of ODCS demand of a text, as patterns of RE2: linear in the text's length, whatever stands in it."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
from ibis.expr.types import BooleanValue, StringValue

from engine.core.value_rules import Format

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP = r"[0-9A-Fa-f]{1,4}"
_LAST = rf"(?:{_GROUP}:{_GROUP}|{_IPV4})"
_IPV6 = "|".join(
    (
        rf"(?:{_GROUP}:){{6}}{_LAST}",
        rf"::(?:{_GROUP}:){{5}}{_LAST}",
        *(rf"(?:(?:{_GROUP}:){{0,{n}}}{_GROUP})?::(?:{_GROUP}:){{{4 - n}}}{_LAST}" for n in range(5)),
        rf"(?:(?:{_GROUP}:){{0,5}}{_GROUP})?::{_GROUP}",
        rf"(?:(?:{_GROUP}:){{0,6}}{_GROUP})?::",
    )
)
"""The nine forms of RFC 3986, section 3.2.2, without a zone."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_FREE = r"A-Za-z0-9._~!$&'()*+,;=\-"
_ESCAPED = r"%[0-9A-Fa-f]{2}"
_PATH = rf"(?:[{_FREE}:@]|{_ESCAPED})"
_HOST = rf"(?:\[(?:{_IPV6}|[vV][0-9A-Fa-f]+\.[{_FREE}:]+)\]|(?:[{_FREE}]|{_ESCAPED})*)"
_AUTHORITY = rf"(?:(?:[{_FREE}:]|{_ESCAPED})*@)?{_HOST}(?::[0-9]*)?"
_HIERARCHY = rf"(?://{_AUTHORITY}(?:/{_PATH}*)*|/?(?:{_PATH}+(?:/{_PATH}*)*)?)"
_TAIL = rf"(?:[{_FREE}:@/?]|{_ESCAPED})*"

_PATTERNS: Mapping[Format, str] = {
    Format.EMAIL: rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+",
    Format.UUID: r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    Format.URI: rf"[A-Za-z][A-Za-z0-9+.-]*:{_HIERARCHY}(?:\?{_TAIL})?(?:#{_TAIL})?",
    Format.HOSTNAME: rf"{_LABEL}(?:\.{_LABEL})*",
    Format.IPV4: _IPV4,
    Format.IPV6: _IPV6,
    Format.DATE: r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])",
    Format.BYTE: r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
}
_CHARACTERS_MAX = {Format.EMAIL: 254, Format.HOSTNAME: 253}
_LOCAL_PART_MAX = 64


def is_of(text: StringValue, format: Format) -> BooleanValue:
    """Whether a text that is not null is, as a whole, of a format."""
    found = text.re_search(rf"\A(?:{_PATTERNS[format]})\z")
    if format in _CHARACTERS_MAX:
        found &= text.length() <= _CHARACTERS_MAX[format]
    match format:
        case Format.EMAIL:
            return found & (text.find("@") <= _LOCAL_PART_MAX)
        case Format.DATE:
            # The pattern knows no calendar: the 30th of February, and the year 0, are not days.
            return found & text.try_cast("date").notnull() & ~text.startswith("0000")
        case _:
            return found & ibis.literal(value=True)
