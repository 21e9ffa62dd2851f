"""From a sync's file to its `Mapping`: which column becomes what, and what may not be said of it."""

from __future__ import annotations

from collections.abc import Iterator

from config.clearance import Clearance
from config.sync import MatchKey as KeyInFile
from config.sync import SyncFile
from engine.checks.clearance import too_sensitive
from engine.contracts.finding import Finding, KeyPath
from engine.core.classification import Classification, Classifications, classifications
from engine.core.consent_rule import ConsentRule
from engine.core.desired import CONVERSIONS, FieldMapping, FieldType, MatchKey, Mode, OnNull
from engine.core.desired import Mapping as FieldsMapping
from engine.core.preparation import Hash, Normalisation, Preparation
from engine.core.schema import LogicalType, TableSchema


def project_classes(clearance: Clearance) -> Classifications:
    """The project's words, as its file orders them."""
    return classifications(
        clearance.order,
        unclassified=clearance.unclassified,
        show_up_to=clearance.show_up_to,
        hashed=clearance.hashed,
    )


def sync_mapping(
    file: SyncFile, schema: TableSchema, classes: Classifications, rule: ConsentRule | None = None
) -> FieldsMapping:
    """The mapping of a sync whose columns exist, and which asks ``rule``."""
    return FieldsMapping(
        object=file.object,
        mode=Mode(file.mode),
        match=tuple(
            MatchKey(target, part.column, _class(part, schema, classes), _preparation(part))
            for target, part in file.match.items()
        ),
        fields=tuple(
            FieldMapping(
                target=target,
                column=mapped.column,
                type=FieldType(mapped.type) if mapped.type else None,
                on_null=OnNull(mapped.on_null),
                classification=_class(mapped, schema, classes),
                prepare=_preparation(mapped),
            )
            for target, mapped in file.fields.items()
        ),
        consent=rule,
    )


def _preparation(part: KeyInFile) -> Preparation:
    return Preparation(Normalisation(part.normalise), Hash(part.hash) if part.hash else None)


def _class(part: KeyInFile, schema: TableSchema, classes: Classifications) -> Classification:
    """How sensitive what leaves is."""
    column = schema.column(part.column).classification
    return classes.when_hashed(column) if part.hash else column


def mapping_findings(file: SyncFile, schema: TableSchema, broken: set[KeyPath]) -> list[Finding]:
    """What is wrong with types and forms, but for paths whose columns do not exist."""
    findings = []
    for target, mapped in file.fields.items():
        if mapped.type is None or ("fields", target) in broken:
            continue
        source = schema.column(mapped.column).type
        if source not in CONVERSIONS[FieldType(mapped.type)]:
            message = f"`{mapped.column}` is {source.value} and cannot be sent as {mapped.type} without loss"
            findings.append(Finding("bad_type", message, "convert it in the source", ("fields", target, "type")))
    for path, part in _parts(file):
        if part.normalise == "exact" or path in broken:
            continue
        source = schema.column(part.column).type
        if source is not LogicalType.STRING:
            message = f"`{part.column}` is {source.value}, and only text has the form `{part.normalise}`"
            findings.append(Finding("bad_type", message, "make it text in the source", (*path, "normalise")))
    for target in file.match.keys() & file.fields.keys():
        if _preparation(file.match[target]) != _preparation(file.fields[target]):
            message = f"the destination field `{target}` is mapped twice, in two forms"
            findings.append(Finding("duplicate_name", message, "map each field once", ("fields", target)))
    return findings


def _parts(file: SyncFile) -> Iterator[tuple[KeyPath, KeyInFile]]:
    """Everything that leaves, with where it stands: the parts of the key count as fields."""
    yield from ((("match", target), part) for target, part in file.match.items())
    yield from ((("fields", target), part) for target, part in file.fields.items())


def clearance_findings(file: SyncFile, mapping: FieldsMapping, clearance: Classification) -> list[Finding]:
    """A finding for each thing that leaves and is above the destination's clearance."""
    findings = []
    for (path, part), leaving in zip(_parts(file), mapping.leaving, strict=True):
        if not too_sensitive([leaving], clearance):
            continue
        what = f"`{part.column}` hashed counts as" if part.hash else f"`{part.column}` is"
        message = f"{what} {leaving.classification}, above the clearance ({clearance}) of `{file.destination}`"
        hint = "remove the field, or raise `clearance` in the destination's file"
        findings.append(Finding("above_clearance", message, hint, path))
    return findings
