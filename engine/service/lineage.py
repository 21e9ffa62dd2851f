"""Lineage and impact of a project's columns, from its files alone; no source, ledger or destination is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from config.dataset import DatasetFile
from config.problems import InvalidProject
from config.project import Project
from engine.core.desired import FieldMapping, MatchKey
from engine.core.lineage import (
    ColumnLineage,
    DatasetLineage,
    Impact,
    Known,
    Origin,
    Role,
    SourceColumn,
    Use,
    impacts,
    of_column,
    of_sync,
)
from engine.core.names import is_meant, name_of
from engine.core.preparation import Normalisation, Preparation
from engine.core.schema import Column
from engine.errors import ConfigurationError
from engine.service.resolve import Resolved, resolve
from engine.sources.query_origins import QueryOrigins, query_origins
from engine.steps.facts import Dataset, Sync


@dataclass(frozen=True, slots=True)
class LineageReport:
    """``of`` is the dataset or sync that was asked about."""

    project: str
    of: str
    datasets: tuple[DatasetLineage, ...]


@dataclass(frozen=True, slots=True)
class ImpactReport:
    """Whom a change ``of`` a dataset, a contract major or a column reaches, and who owns that."""

    of: str
    owners: tuple[str, ...]
    syncs: tuple[Impact, ...]


def lineage(project: Project, name: str, column: str | None) -> LineageReport:
    """Where the columns of a dataset, or of what a sync sends, come from and go to.

    Raises `ConfigurationError` for a name that is neither, and for a column that is not there.
    """
    resolved = _resolved(project)
    if name in resolved.syncs:
        sync = resolved.syncs[name]
        found = [of_sync(_dataset_lineage(project, resolved, sync.dataset), sync.id)]
    else:
        found = [_dataset_lineage(project, resolved, dataset) for dataset in _datasets(resolved, name)]
    if column is not None:
        found = _with_column(found, name, column)
    return LineageReport(project.name, name, tuple(found))


def impact(project: Project, name: str) -> ImpactReport:
    """The syncs that a change of ``customers``, ``customers@1`` or ``customers.email`` reaches; raises as `lineage`."""
    resolved = _resolved(project)
    dataset, _, column = name.partition(".")
    found = [_dataset_lineage(project, resolved, one) for one in _datasets(resolved, dataset)]
    if column:
        found = _with_column(found, dataset, column)
    owners = tuple(dict.fromkeys(one.owner for one in found if one.owner))
    return ImpactReport(name, owners, impacts(found, whole=not column))


def _resolved(project: Project) -> Resolved:
    resolved = resolve(project)
    if resolved.problems:
        raise InvalidProject(resolved.problems)
    return resolved


def _datasets(resolved: Resolved, name: str) -> list[Dataset]:
    found = [resolved.datasets[d] for d in sorted(resolved.datasets) if is_meant(d, name)]
    if found:
        return found
    known = ", ".join(sorted({*resolved.datasets, *resolved.syncs})) or "none"
    raise ConfigurationError(
        f"There is neither a dataset nor a sync `{name}` in this project",
        safe="Nothing was started.",
        next=f"known: {known}",
    )


def _with_column(found: list[DatasetLineage], name: str, column: str) -> list[DatasetLineage]:
    having = [one for lineage in found if (one := of_column(lineage, column)).columns]
    if having:
        return having
    known = ", ".join(sorted({c.column for lineage in found for c in lineage.columns}))
    raise ConfigurationError(f"{name} has no column `{column}`", safe="Nothing was started.", next=f"known: {known}")


def _dataset_lineage(project: Project, resolved: Resolved, dataset: Dataset) -> DatasetLineage:
    file = _file(project, dataset)
    syncs = [resolved.syncs[name] for name in sorted(resolved.syncs)]
    origins = None
    if file.source.query is not None:
        origins = query_origins(file.source.query, project.connections[file.source.connection].type)
    origin = partial(_origin, file, origins)
    return DatasetLineage(
        dataset=dataset.id,
        owner=file.owner or "",
        contract=f"{file.contract} {dataset.contract}",
        columns=tuple(
            ColumnLineage(
                column=column.name,
                type=column.type.value,
                classification=column.classification.word,
                marks=tuple(_marks(dataset, file, column)),
                origin=origin(column.name),
                uses=tuple(use for sync in syncs if sync.dataset.id == dataset.id for use in _uses(sync, column.name)),
            )
            for column in dataset.schema.columns
        ),
        asked_by=tuple(sync.id for sync in syncs if dataset.id in {register.id for register in sync.registers}),
    )


def _file(project: Project, dataset: Dataset) -> DatasetFile:
    """The file of a dataset; where its name has several majors, the one whose contract has this version."""
    name = name_of(dataset.id)
    files = [file for file in project.datasets.values() if file.name == name]
    versions = {file.file: str(project.contract_of(file).data.get("version")) for file in files}
    return next(file for file in files if versions[file.file] == dataset.contract)


def _marks(dataset: Dataset, file: DatasetFile, column: Column) -> Iterator[str]:
    if column.key_position is not None:
        yield "primary key"
    if column.name in file.identifier_columns:
        yield "identifier"
    if column.name in dataset.subjects:
        yield "subject"


def _origin(file: DatasetFile, origins: QueryOrigins | None, column: str) -> Origin:
    connection = file.source.connection
    if origins is None:
        table = file.source.table or ""
        return Origin(connection, (table,), (SourceColumn(table, column),), Known.AS_IT_IS)
    certain = origins.of(column)
    if certain is None:
        return Origin(connection, origins.tables, (), Known.FROM_A_QUERY)
    known = Known.COMPUTED if certain.is_computed else Known.AS_IT_IS
    return Origin(connection, origins.tables, tuple(SourceColumn(*pair) for pair in certain.columns), known)


def _uses(sync: Sync, column: str) -> Iterator[Use]:
    mapping = sync.mapping
    for part in mapping.leaving:
        if part.column == column:
            role = Role.FIELD if isinstance(part, FieldMapping) else Role.MATCH
            yield _use(sync, part, role)
    rule = mapping.consent
    if rule is not None and rule.subject == column:
        yield Use(sync.id, sync.target.name, mapping.object, Role.CONSENT, "", str(rule), "")


def _use(sync: Sync, part: MatchKey | FieldMapping, role: Role) -> Use:
    form = _form(part.prepare)
    if isinstance(part, FieldMapping) and part.type is not None:
        form = f"{part.type.value} {form}".strip()
    return Use(sync.id, sync.target.name, sync.mapping.object, role, part.target, form, part.classification.word)


def _form(prepare: Preparation) -> str:
    form = "" if prepare.normalise is Normalisation.EXACT else prepare.normalise.value
    return f"{prepare.hash.value} of {form or 'the value'}" if prepare.hash is not None else form
