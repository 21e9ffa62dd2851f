"""An Open Data Contract Standard file (v3.x) as a `Contract`; reading and parsing its text is the caller's.

What a contract demands and this version does not check is collected by name, never dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import BaseModel, ValidationError

from engine.contracts.actions import QUARANTINE
from engine.contracts.columns import ColumnType, classification, column_type, measure_finding, not_enforced
from engine.contracts.definition import definition
from engine.contracts.demands import read_demands
from engine.contracts.finding import Finding, KeyPath, nearest
from engine.contracts.quarantine import MAX_RATIO
from engine.contracts.service_levels import read_service_levels
from engine.contracts.status import Status, status_findings
from engine.core.classification import USUAL, Classification, Classifications
from engine.core.demands import Demands
from engine.core.promises import Promises
from engine.core.schema import Column, LogicalType, TableSchema

_SEMVER = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_API_VERSION = re.compile(r"v3\.[0-9]+\.[0-9]+")
_COLUMNS_MAX = 2000
_ALLOW_EMPTY = "tidegate.allowEmpty"
_LEVELS = {0: "the contract", 2: "its table", 4: "a column"}
"""What custom properties stand under, by the length of the path to it."""
_PLACES = {_ALLOW_EMPTY: (0, 2), QUARANTINE: (2, 4), MAX_RATIO: (2,)}


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that can be enforced, and the names of those of its rules that are not.

    ``definition`` is the text of all that Tidegate acts upon.
    """

    id: str
    name: str
    version: str
    major: int
    status: Status
    object: str
    schema: TableSchema
    demands: Demands
    promises: Promises
    allow_empty: bool
    not_enforced: tuple[str, ...]
    definition: str


@dataclass(frozen=True, slots=True)
class InvalidContract:
    """A contract that cannot be used, and every reason."""

    findings: tuple[Finding, ...]


def read_contract(data: Mapping[str, Any], classes: Classifications = USUAL) -> Contract | InvalidContract:
    """The contract in parsed YAML, judged by the published model and by what Tidegate needs of it.

    ``classes`` are the project's words for how sensitive a column is.
    """
    try:
        model = OpenDataContractStandard.model_validate(dict(data))
    except ValidationError as error:
        return InvalidContract(tuple(_violation(detail) for detail in error.errors(include_input=False)))
    findings = list(_heading(model))
    objects = model.schema_ or []
    if len(objects) != 1:
        message = f"a contract describes one table, and this `schema` has {len(objects)}"
        findings.append(Finding("bad_schema", message, "write one contract for each", ("schema",)))
        return InvalidContract(tuple(findings))
    columns = _columns(objects[0], classes, findings)
    findings += _unknown_keys(data["schema"][0], SchemaObject, ("schema", 0))
    demands, unjudged = read_demands(data["schema"][0], columns, findings)
    levels = read_service_levels(data.get("slaProperties") or (), model.slaDefaultElement, data["schema"][0], columns)
    findings += levels.findings
    allow_empty = _custom(model, objects[0], findings)
    if findings or model.version is None:
        return InvalidContract(tuple(findings))
    return Contract(
        id=model.id or "",
        name=model.name or objects[0].name or "",
        version=model.version,
        major=int(model.version.partition(".")[0]),
        status=Status(model.status or ""),
        object=objects[0].name or "",
        schema=TableSchema(columns),
        demands=demands,
        promises=levels.promises,
        allow_empty=allow_empty,
        not_enforced=(*unjudged, *levels.unenforced, *_not_enforced(objects[0])),
        definition=definition(data),
    )


def _violation(detail: Mapping[str, Any]) -> Finding:
    """A rule of the published model that the file breaks; the value is not shown."""
    path = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        fields = OpenDataContractStandard.model_fields.items()
        known = [field.alias or name for name, field in fields]
        return Finding("unknown_key", f"unknown key `{path[-1]}`", nearest(str(path[-1]), known), path)
    rule = str(detail["msg"]).removeprefix("Input ")
    hint = "put it in quotes" if detail["type"] == "string_type" else ""
    return Finding("invalid_contract", f"`{'.'.join(map(str, path))}` {rule}", hint, path)


def _heading(model: OpenDataContractStandard) -> Iterator[Finding]:
    for key in ("id", "version", "apiVersion", "kind"):
        if not getattr(model, key):
            yield Finding("missing_key", f"`{key}` is missing", "the standard requires it", (key,))
    if model.kind and model.kind != "DataContract":
        yield Finding("bad_value", "`kind` must be `DataContract`", "", ("kind",))
    if model.apiVersion and not _API_VERSION.fullmatch(model.apiVersion):
        yield Finding("bad_value", "`apiVersion` must be of the 3.x line", "such as `v3.1.0`", ("apiVersion",))
    yield from status_findings(model.status)
    if model.version and not _SEMVER.fullmatch(model.version):
        message = "`version` must be a semantic version"
        yield Finding("bad_version", message, "three numbers, such as `1.0.0`", ("version",))


def _columns(table: SchemaObject, classes: Classifications, findings: list[Finding]) -> tuple[Column, ...]:
    """The columns that can be read; what is wrong with the others goes to ``findings``."""
    properties = table.properties or []
    at: KeyPath = ("schema", 0, "properties")
    if not 1 <= len(properties) <= _COLUMNS_MAX:
        message = f"a contract has 1 to {_COLUMNS_MAX:,} columns, and this one has {len(properties):,}"
        findings.append(Finding("bad_schema", message, "list them under `properties`", at))
        return ()
    findings += _names(properties, at)
    positions = _key_positions(properties, at, findings)
    columns = []
    for index, property in enumerate(properties):
        path = (*at, index)
        kind, rank = column_type(property, path), classification(property, path, classes)
        findings += (judged for judged in (kind, rank, measure_finding(property, path)) if isinstance(judged, Finding))
        if isinstance(kind, ColumnType) and isinstance(rank, Classification):
            columns.append(_column(property, kind, rank, positions.get(index)))
            if kind.type is LogicalType.DOUBLE and index in positions:
                message = f"the column `{property.name}` is a key, and inexact numbers cannot be"
                findings.append(Finding("bad_primary_key", message, "use an integer, decimal or string", path))
    return tuple(columns)


def _column(property: SchemaProperty, kind: ColumnType, rank: Classification, key_position: int | None) -> Column:
    """A column of the primary key is required whether or not the contract repeats it."""
    return Column(
        name=property.name or "",
        type=kind.type,
        required=bool(property.required) or key_position is not None,
        unique=bool(property.unique),
        key_position=key_position,
        classification=rank,
        precision=kind.precision,
        scale=kind.scale,
    )


def _names(properties: list[SchemaProperty], at: KeyPath) -> Iterator[Finding]:
    """Names must be there and differ by more than case, since SQL engines do not tell them apart."""
    seen: set[str] = set()
    for index, property in enumerate(properties):
        name = property.name or ""
        if not name.isprintable() or not name.strip() or len(name) > 255:
            yield Finding("bad_name", "a column has no printable `name` of at most 255 characters", "", (*at, index))
        elif name.casefold() in seen:
            yield Finding("duplicate_name", f"the column `{name}` is listed twice", "", (*at, index, "name"))
        seen.add(name.casefold())


def _key_positions(properties: list[SchemaProperty], at: KeyPath, findings: list[Finding]) -> dict[int, int]:
    """Place in the primary key by index of property: as written, or in order of listing when none is written."""
    keyed = [index for index, property in enumerate(properties) if property.primaryKey]
    if not keyed:
        hint = "mark its columns with `primaryKey: true`"
        findings.append(Finding("no_primary_key", "the contract has no primary key", hint, at))
        return {}
    written = [properties[index].primaryKeyPosition for index in keyed]
    positions = [position for position in written if position is not None and position != -1]  # -1 is ODCS for unset
    if not positions:
        return {index: place for place, index in enumerate(keyed, start=1)}
    if sorted(positions) != list(range(1, len(keyed) + 1)):
        message = "`primaryKeyPosition` must count the key's columns from 1, each once"
        findings.append(Finding("bad_primary_key", message, "", (*at, keyed[0], "primaryKeyPosition")))
        return {}
    return dict(zip(keyed, positions, strict=True))


def _unknown_keys(data: Any, model: type[BaseModel], path: KeyPath) -> Iterator[Finding]:  # parsed YAML
    """Keys of tables and columns that the published model would drop, such as ``primarykey``."""
    if not isinstance(data, dict):
        return
    known = [field.alias or name for name, field in model.model_fields.items()]
    for key, value in data.items():
        if key not in known:
            yield Finding("unknown_key", f"unknown key `{key}`", nearest(key, known), (*path, key))
        elif key == "properties" and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _unknown_keys(item, SchemaProperty, (*path, key, index))


def _custom(model: OpenDataContractStandard, table: SchemaObject, findings: list[Finding]) -> bool:
    """Whether an empty version is allowed; properties of Tidegate's own that are misplaced go to ``findings``."""
    allow_empty = False
    for path, custom in _custom_properties(model, table):
        name = custom.property or ""
        places = _PLACES.get(name, ())
        if len(path) - 2 in places:
            if name == _ALLOW_EMPTY and isinstance(custom.value, bool):
                allow_empty = custom.value
            elif name == _ALLOW_EMPTY:
                findings.append(Finding("wrong_type", f"`{_ALLOW_EMPTY}` must be true or false", "", path))
        elif places:
            hint = " or ".join(_LEVELS[depth] for depth in places)
            findings.append(Finding("unknown_key", f"`{name}` does not belong here", f"it belongs to {hint}", path))
        elif name.startswith("tidegate."):
            findings.append(Finding("unknown_key", f"unknown property `{name}`", nearest(name, _PLACES), path))
    return allow_empty


def _custom_properties(
    model: OpenDataContractStandard, table: SchemaObject
) -> Iterator[tuple[KeyPath, CustomProperty]]:
    """The custom properties of the contract, of its table and of its columns, with where each stands."""
    groups: list[tuple[KeyPath, Iterable[CustomProperty] | None]] = [
        ((), model.customProperties),
        (("schema", 0), table.customProperties),
    ]
    for index, property in enumerate(table.properties or []):
        groups.append((("schema", 0, "properties", index), property.customProperties))
    for path, customs in groups:
        for index, custom in enumerate(customs or ()):
            yield (*path, "customProperties", index), custom


def _not_enforced(table: SchemaObject) -> Iterator[str]:
    if table.relationships:
        yield f"relationships of {table.name}"
    for property in table.properties or []:
        yield from not_enforced(property)
