"""Whether datasets and syncs name columns that their contract has; what they name comes as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.contracts.finding import Finding, KeyPath, nearest
from engine.core.names import DatasetId, dataset_id
from engine.core.schema import TableSchema

CONSENT_COLUMNS = ("subject", "purpose", "status")
"""What a dataset of consent decisions cannot do without."""


def dataset_findings(
    schema: TableSchema, *, identifiers: Sequence[str], holds_consent: bool, valued: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """What is wrong between a dataset's file and its contract's columns; paths are the dataset file's.

    ``valued`` are the columns whose values are compared with those of the version before.
    """
    named: list[tuple[str, KeyPath]] = [(name, ("identifiers", index)) for index, name in enumerate(identifiers)]
    named += [(name, ("gates", "values", "columns", index)) for index, name in enumerate(valued)]
    findings = [finding for name, path in named if (finding := _unknown(schema, name, path))]
    if holds_consent:
        for name in CONSENT_COLUMNS:
            if name not in schema.names:
                message = f"a dataset with `kind: consent` needs a column `{name}`, and its contract has none"
                findings.append(Finding("unknown_column", message, "add it to the contract", ("contract",)))
    return tuple(findings)


def sync_findings(
    schema: TableSchema, *, match: Mapping[str, str], fields: Mapping[str, str], consent_subject: str | None
) -> tuple[Finding, ...]:
    """What is wrong between a sync's file and its dataset's columns; both mappings go from target to column."""
    findings = [_unknown(schema, column, ("match", target)) for target, column in match.items()]
    findings += [_unknown(schema, column, ("fields", target)) for target, column in fields.items()]
    if consent_subject is not None:
        findings.append(_unknown(schema, consent_subject, ("consent", "subject")))
    findings += _targets(match, fields)
    return tuple(finding for finding in findings if finding)


def major_finding(name: str, major: int, majors: Iterable[int]) -> Finding | None:
    """Whether ``name@major`` exists, given the majors that the contracts of the datasets of that name give."""
    known = sorted(majors)
    if major in known:
        return None
    listed = ", ".join(f"`{name}@{each}`" for each in known)
    message = f"`dataset` names `{name}@{major}`, which no contract gives"
    return Finding("unknown_reference", message, f"there are {listed}" if known else "", ("dataset",))


def duplicate_majors(datasets: Iterable[tuple[str, str, int]]) -> tuple[tuple[str, Finding], ...]:
    """Datasets that claim an id which another has: of (file, name, major), the later files and why."""
    seen: dict[DatasetId, str] = {}
    duplicates = []
    for file, name, major in datasets:
        id = dataset_id(name, major)
        if id in seen:
            message = f"the dataset `{id}` is already declared in {seen[id]}"
            hint = "contracts of one dataset differ by their major version"
            duplicates.append((file, Finding("duplicate_name", message, hint, ("contract",))))
        seen.setdefault(id, file)
    return tuple(duplicates)


def _unknown(schema: TableSchema, column: str, path: KeyPath) -> Finding | None:
    if column in schema.names:
        return None
    message = f"the contract has no column `{column}`"
    return Finding("unknown_column", message, nearest(column, schema.names), path)


def _targets(match: Mapping[str, str], fields: Mapping[str, str]) -> Iterator[Finding]:
    """A destination field gets one value: twice is a mistake unless key and field agree on the column."""
    seen: dict[str, tuple[str, str]] = {}
    for group, mapping in (("match", match), ("fields", fields)):
        for target, column in mapping.items():
            before = seen.get(target.casefold())
            if before is not None and before != (target, column):
                message = f"the destination field `{target}` is mapped twice"
                yield Finding("duplicate_name", message, "map each field once", (group, target))
            seen.setdefault(target.casefold(), (target, column))
