"""What destinations say of their fields, held against what syncs map: found before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence

from config.problems import Problem
from config.project import Project
from destinations.base import CheckFailed, Destination, Field
from engine.contracts.finding import Finding, nearest
from engine.core.desired import FieldMapping, Mode
from engine.core.desired import Mapping as FieldsMapping
from engine.core.preparation import AS_IT_IS
from engine.core.schema import LogicalType, TableSchema
from engine.delivery.transport import HttpTransport
from engine.service.destinations import question_transport
from engine.service.resolve import Resolved

_NUMBERS = frozenset({LogicalType.DECIMAL, LogicalType.DOUBLE})


def unfitting(project: Project, resolved: Resolved) -> Iterator[Problem]:
    """A problem for each field that a destination does not have or take, and for each object that it does not tell of."""
    files = [file for file in project.syncs.values() if file.name in resolved.syncs]
    objects = {(file.destination, file.object) for file in files}
    said = asyncio.run(_discovered(resolved.destinations, objects))
    for file in files:
        sync, fields = resolved.syncs[file.name], said.get((file.destination, file.object), ())
        if isinstance(fields, str):
            message = f"`{file.destination}` does not tell the fields of `{file.object}`: {fields}"
            yield project.problem(file.file, ("object",), "no_discovery", message)
            continue
        for finding in field_findings(sync.mapping, sync.dataset.schema, fields):
            yield project.problem(file.file, finding.path, finding.code, finding.message, finding.hint)


def field_findings(mapping: FieldsMapping, schema: TableSchema, fields: Sequence[Field]) -> Iterator[Finding]:
    """What is wrong between a mapping and the fields of its object; nothing where no field is known."""
    known = {field.name: field for field in fields}
    if not known:
        return
    for part in mapping.match:
        if part.target not in known:
            yield _unknown(mapping.object, "match", part.target, known)
    for mapped in mapping.fields:
        if mapped.target not in known:
            yield _unknown(mapping.object, "fields", mapped.target, known)
        else:
            yield from _unwritable(mapped, schema, known[mapped.target])
    yield from _not_unique(mapping, known)
    if mapping.mode is not Mode.UPDATE:
        yield from _left_out(mapping, known)


def _unknown(object: str, place: str, target: str, known: Mapping[str, Field]) -> Finding:
    return Finding("unknown_field", f"`{object}` has no field `{target}`", nearest(target, known), (place, target))


def _unwritable(mapped: FieldMapping, schema: TableSchema, field: Field) -> Iterator[Finding]:
    path = ("fields", field.name)
    if field.read_only:
        yield Finding("read_only_field", f"`{field.name}` cannot be written", "take it out", path)
    sent = _sent_as(mapped, schema)
    if field.takes and sent not in field.takes:
        message = f"`{mapped.column}` is sent as {sent}, and `{field.name}` is {field.type}"
        yield Finding("bad_type", message, f"it takes {', '.join(sorted(field.takes))}", path)


def _sent_as(mapped: FieldMapping, schema: TableSchema) -> str:
    """The type that leaves, in the words of a sync's ``type``."""
    if mapped.type is not None or mapped.prepare != AS_IT_IS:
        return (mapped.type or LogicalType.STRING).value
    column = schema.column(mapped.column).type
    return (LogicalType.NUMBER if column in _NUMBERS else column).value


def _not_unique(mapping: FieldsMapping, known: Mapping[str, Field]) -> Iterator[Finding]:
    """Where a destination says which fields are unique, a match key of one field must be one of them."""
    unique = [field.name for field in known.values() if field.unique]
    if not unique or len(mapping.match) != 1:
        return
    (part,) = mapping.match
    if part.target in known and part.target not in unique:
        listed = f"unique are {', '.join(f'`{name}`' for name in sorted(unique)[:8])}"
        yield Finding("not_unique", f"`{part.target}` may be the same in two records", listed, ("match", part.target))


def _left_out(mapping: FieldsMapping, known: Mapping[str, Field]) -> Iterator[Finding]:
    mapped = {field.target for field in mapping.fields} | {part.target for part in mapping.match}
    for field in known.values():
        if field.required and not field.read_only and field.name not in mapped:
            message = f"a record of `{mapping.object}` needs `{field.name}`, which is not mapped"
            yield Finding("missing_field", message, "map it, or use mode update", ("fields",))


async def _discovered(
    destinations: Mapping[str, Destination], objects: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Sequence[Field] | str]:
    """The fields of each object, or why they are not told; those whose adapter knows none are left out."""
    said = dict[tuple[str, str], Sequence[Field] | str]()
    asked = {name for name, _ in objects if type(destinations[name]).fields is not Destination.fields}
    for name in sorted(asked):
        transport = question_transport(destinations[name])
        try:
            for object in sorted(object for of, object in objects if of == name):
                said[name, object] = await _fields(destinations[name], object, transport)
        finally:
            await transport.close()
            await destinations[name].close()
    return said


async def _fields(destination: Destination, object: str, transport: HttpTransport) -> Sequence[Field] | str:
    try:
        return await destination.fields(object, transport)
    except CheckFailed as error:
        return str(error)
