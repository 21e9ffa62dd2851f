"""Properties of HubSpot as the fake keeps them: all values are text, and each type has a form of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from destinations.base import Value

TEXT_LENGTH_MAX = 65_536
_FORMS = {
    "number": (re.compile(r"-?[0-9]+(\.[0-9]+)?"), "INVALID_INTEGER"),
    "bool": (re.compile("true|false"), "INVALID_BOOLEAN"),
    "date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|-?[0-9]+"), "INVALID_DATE"),
    "datetime": (re.compile(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?Z|-?[0-9]+"), "INVALID_DATE"),
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object type; ``options`` are those of an enumeration."""

    type: str
    is_unique: bool = False
    is_fixed: bool = False
    options: tuple[str, ...] = ()


SCHEMA: Mapping[str, Property] = MappingProxyType(
    {
        "hs_object_id": Property("number", is_fixed=True),
        "createdate": Property("datetime", is_fixed=True),
        "email": Property("string"),
        "crm_key": Property("string", is_unique=True),
        "nickname": Property("string"),
        "seats": Property("number"),
        "revenue": Property("number"),
        "is_vip": Property("bool"),
        "signup": Property("date"),
        "seen_at": Property("datetime"),
        "plan": Property("enumeration", options=("free", "pro")),
    }
)


def objection(name: str, held: Property, text: str) -> str:
    """The code with which HubSpot refuses a value; empty when it takes it."""
    if text == "":
        return ""
    if len(text) > TEXT_LENGTH_MAX:
        return "VALUE_TOO_LONG"
    if name == "email" and "@" not in text:
        return "INVALID_EMAIL"
    if held.options and text not in held.options:
        return "INVALID_OPTION"
    form, code = _FORMS.get(held.type, (re.compile(".*", re.DOTALL), ""))
    return "" if form.fullmatch(text) else code


def said(value: Value) -> str:
    """A value as the adapter is expected to write it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def kept(held: Property, text: str) -> str | None:
    """What is kept: moments to the millisecond, and nothing of an empty text."""
    if held.type == "datetime" and (cut := re.fullmatch(r"(.*\.[0-9]{3})[0-9]*Z", text)):
        return f"{cut[1]}Z"
    return text or None
