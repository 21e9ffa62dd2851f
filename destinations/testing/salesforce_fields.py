"""Fields of a Salesforce object as the fake keeps them: each type takes JSON of one kind, and keeps it in a form of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from destinations.base import Value

_DATE, _MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), re.compile(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?Z")
_FITS: Mapping[str, Callable[[Value], bool]] = MappingProxyType(
    {
        "boolean": lambda one: isinstance(one, bool),
        "int": lambda one: type(one) is int,
        "double": lambda one: type(one) in {int, Decimal},
        "date": lambda one: isinstance(one, str) and _DATE.fullmatch(one) is not None,
        "datetime": lambda one: isinstance(one, str) and _MOMENT.fullmatch(one) is not None,
    }
)
_TEXTS = frozenset({"string", "textarea", "email", "phone", "picklist", "id"})


@dataclass(frozen=True, slots=True)
class Column:
    """One field; ``length`` is that of texts, ``options`` are those of a restricted picklist."""

    type: str = "string"
    length: int = 255
    is_external: bool = False
    is_fixed: bool = False
    is_required: bool = False
    options: tuple[str, ...] = ()
    leads_to: tuple[str, tuple[str, ...]] = ("", ())
    """The relationship and its objects, of a reference."""

    def described(self, name: str) -> dict[str, Value]:
        """The field in a description."""
        relationship, objects = self.leads_to
        return {
            "name": name,
            "type": self.type,
            "length": self.length,
            "nillable": not self.is_required,
            "createable": not self.is_fixed,
            "updateable": not self.is_fixed,
            "defaultedOnCreate": False,
            "externalId": self.is_external,
            "idLookup": self.type == "id",
            "relationshipName": relationship or None,
            "referenceTo": list(objects),
        }


SCHEMA: Mapping[str, Column] = MappingProxyType(
    {
        "Id": Column("id", is_fixed=True),
        "CreatedDate": Column("datetime", is_fixed=True),
        "Ext_Key__c": Column(is_external=True),
        "LastName": Column(length=80),
        "Email": Column("email", length=80),
        "Notes__c": Column("textarea", length=131_072),
        "Seats__c": Column("int"),
        "Revenue__c": Column("double"),
        "HasOptedOutOfEmail": Column("boolean"),
        "Is_Vip__c": Column("boolean"),
        "Signup__c": Column("date"),
        "Seen_At__c": Column("datetime"),
        "Plan__c": Column("picklist", options=("free", "pro")),
        "AccountId": Column("reference", leads_to=("Account", ("Account",))),
        "OwnerId": Column("reference", leads_to=("Owner", ("Group", "User"))),
    }
)


def is_of_type(column: Column, value: Value) -> bool:
    """Whether the JSON of a value can be read as one of the field's type."""
    return value is None or _FITS.get(column.type, lambda one: isinstance(one, str))(value)


def objection(column: Column, value: Value) -> str:
    """The code with which a value is refused for its record; empty when it is taken."""
    if column.is_fixed:
        return "INVALID_FIELD_FOR_INSERT_UPDATE"
    if not isinstance(value, str):
        return ""
    if column.type in _TEXTS and len(value) > column.length:
        return "STRING_TOO_LONG"
    if column.type == "email" and value and "@" not in value:
        return "INVALID_EMAIL_ADDRESS"
    is_outside = bool(column.options) and value not in column.options
    return "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" if is_outside else ""


def kept(column: Column, value: Value) -> Value:
    """What is kept: moments to the second, texts without blanks around them, and nothing of an empty one."""
    if column.type == "datetime" and isinstance(value, str):
        return value[:19] + "Z"
    return (value.strip() or None) if isinstance(value, str) else value
