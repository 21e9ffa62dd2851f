"""The fields of an object, as Salesforce describes them, with the external ids of the objects that it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from destinations.base import Field, Value

RELATED_MAX = 20
"""Of how many other objects the external ids are asked for."""
_TEXT = frozenset({"string", "date", "timestamp", "time"})
_TAKES = {
    "boolean": frozenset({"boolean"}),
    "int": frozenset({"integer"}),
    **dict.fromkeys(("double", "currency", "percent"), frozenset({"integer", "number"})),
    "date": frozenset({"date"}),
    "datetime": frozenset({"timestamp", "date"}),
    "time": frozenset({"time"}),
}
"""What fields of a type can hold; those of any other hold text."""


def fields(said: Mapping[str, Value]) -> list[Field]:
    """The fields of a description."""
    return [_field(one) for one in said["fields"]]


def references(said: Mapping[str, Value]) -> Mapping[str, tuple[str, ...]]:
    """The objects that a writable relationship may lead to, by its name."""
    return {
        one["relationshipName"]: tuple(one["referenceTo"])
        for one in said["fields"]
        if one.get("relationshipName") and one.get("referenceTo") and _is_writable(one)
    }


def related_fields(
    references: Mapping[str, tuple[str, ...]], described: Mapping[str, Mapping[str, Value]]
) -> Iterator[Field]:
    """``Account.Ext_Key__c`` for each external id of a related object; ``Owner:User.Email`` where objects of several types are."""
    for relationship, types in references.items():
        for type in types:
            path = relationship if len(types) == 1 else f"{relationship}:{type}"
            for one in described.get(type, {}).get("fields", ()):
                if _finds(one) and one["name"] != "Id":
                    yield Field(f"{path}.{one['name']}", one["type"], takes=_TAKES.get(one["type"], _TEXT))


def related_objects(references: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    """Whose descriptions `related_fields` needs, at most `RELATED_MAX`."""
    return sorted({type for types in references.values() for type in types})[:RELATED_MAX]


def _field(said: Mapping[str, Value]) -> Field:
    """One that has a default need not be there; one that is only created or only updated can be written."""
    is_required = said.get("createable") and not said.get("nillable") and not said.get("defaultedOnCreate")
    takes = _TAKES.get(said["type"], _TEXT)
    return Field(said["name"], said["type"], bool(is_required), not _is_writable(said), _finds(said), takes)


def _is_writable(said: Mapping[str, Value]) -> bool:
    return bool(said.get("createable") or said.get("updateable"))


def _finds(said: Mapping[str, Value]) -> bool:
    """Whether a record can be found by the field."""
    return bool(said.get("externalId") or said.get("idLookup") or said["type"] == "id")
