"""From files to values: contracts read, references followed, adapters configured; every problem has file and line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from config.dataset import DatasetFile
from config.destination import DestinationFile
from config.environment import Connection
from config.problems import InvalidProject, Problem
from config.project import Project
from config.sync import SyncFile
from destinations.base import Destination, Op
from destinations.registry import UnknownAdapter, adapter
from engine.contracts.finding import Finding
from engine.contracts.references import dataset_findings, duplicate_majors, major_finding, sync_findings
from engine.core.approval import ApprovalRules
from engine.core.classification import Classifications
from engine.core.consent_rule import ConsentRule
from engine.core.desired import Mode
from engine.core.names import DatasetId, SyncId, dataset_id, major_of, name_of
from engine.core.retry import OnUnknown, RetryPolicy
from engine.service.addresses import address_findings
from engine.service.consent_rule import consent_rule, consent_warnings, withdrawal_findings
from engine.service.contracts import Usable, usable_contracts
from engine.service.gate_rules import dataset_rules, retention_rule, run_rule, sync_rules
from engine.service.identifiers import identifier_findings, identifier_kinds
from engine.service.mapping import clearance_findings, mapping_findings, project_classes, sync_mapping
from engine.service.subjects import subject_columns, subject_findings, subject_warnings
from engine.service.target import sync_target
from engine.sources.base import Reading, Selection
from engine.sources.registry import open_source
from engine.steps.facts import Dataset, Sync

_OPERATIONS: Mapping[Mode, frozenset[Op]] = {
    Mode.UPSERT: frozenset({Op.UPSERT}),
    Mode.UPDATE: frozenset({Op.UPDATE}),
    Mode.INSERT: frozenset({Op.INSERT}),
    Mode.MIRROR: frozenset({Op.UPSERT, Op.DELETE}),
}


@dataclass(slots=True)
class Resolved:
    """Datasets and syncs that can be used, what is wrong with the others, and what is worth saying."""

    classes: Classifications
    datasets: dict[DatasetId, Dataset] = field(default_factory=dict)
    files: dict[DatasetId, DatasetFile] = field(default_factory=dict)
    """Where each dataset is declared."""
    registers: list[DatasetId] = field(default_factory=list)
    syncs: dict[str, Sync] = field(default_factory=dict)
    destinations: dict[str, Destination] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    """Why nothing may be read under some contracts: wrong with the files, and no reason to stop what reads nothing."""
    warnings: list[str] = field(default_factory=list)


def resolve(project: Project) -> Resolved:
    """Follow every reference of a project; opens nothing."""
    resolved = Resolved(project_classes(project.clearance))
    contracts = usable_contracts(project, resolved.classes, resolved.problems, resolved.warnings)
    for file, finding in duplicate_majors(
        (d.file, d.name, contracts[d.contract].contract.major)
        for d in project.datasets.values()
        if d.contract in contracts
    ):
        resolved.problems.append(_placed(project, file, finding))
    for dataset in project.datasets.values():
        if dataset.contract in contracts:
            _dataset(project, resolved, dataset, contracts[dataset.contract])
    resolved.refused += dict.fromkeys(usable.refused for usable in contracts.values() if usable.refused)
    for destination in project.destinations.values():
        _destination(project, resolved, destination)
    for sync in project.syncs.values():
        _sync(project, resolved, sync)
    return resolved


def _placed(project: Project, file: str, finding: Finding) -> Problem:
    return project.problem(file, finding.path, finding.code, finding.message, finding.hint)


def _dataset(project: Project, resolved: Resolved, file: DatasetFile, usable: Usable) -> None:
    contract = usable.contract
    is_register = file.kind == "consent"
    valued = file.gates.values.columns if file.gates.values else ()
    findings = [
        *dataset_findings(
            contract.schema, identifiers=file.identifier_columns, valued=valued, holds_consent=is_register
        ),
        *subject_findings(file, contract.schema),
        *identifier_findings(file, contract.schema),
    ]
    subjects = subject_columns(project, file, contract.schema, contract.major)
    resolved.warnings += subject_warnings(project, file, subjects, contract.major)
    if is_register and contract.demands.sets_rows_aside:
        # A withdrawal that is set aside would be overlooked, and the grant before it would count.
        message = "a register of consent cannot set rows aside, and its contract has `tidegate.quarantine`"
        findings = [*findings, Finding("bad_value", message, "block or review instead", ("contract",))]
    resolved.problems += (_placed(project, file.file, finding) for finding in findings)
    id = dataset_id(file.name, contract.major)
    resolved.datasets[id] = Dataset(
        id=id,
        schema=contract.schema,
        contract=contract.version,
        read=_reader(project, file),
        demands=contract.demands,
        promises=contract.promises,
        allow_empty=contract.allow_empty,
        rules=dataset_rules(file),
        subjects=subjects,
        identifiers=identifier_kinds(file),
        holds_consent=is_register,
        definition=contract.definition,
        classes=resolved.classes,
        refused=str(usable.refused or ""),
        needs_approval=project.environment.require_approval,
        retain=retention_rule(file),
        owner=file.owner or "",
        fresh_for=file.objectives.freshness if file.objectives else None,
    )
    resolved.files[id] = file
    if is_register:
        resolved.registers.append(id)


def _reader(project: Project, file: DatasetFile) -> Callable[[], AbstractContextManager[Reading]]:
    connection = project.connections[file.source.connection]
    selection = Selection(table=file.source.table, query=file.source.query)

    def read() -> AbstractContextManager[Reading]:
        options = connection_options(connection, project)
        return open_source(connection.type, {"name": file.source.connection, **options}).open(selection)

    return read


def connection_options(connection: Connection, project: Project) -> dict[str, object]:
    """A connection as plain values for its source, with secrets revealed."""
    where = (
        {"url": connection.url.get_secret_value()} if connection.type == "postgres" else {"path": connection.path.value}
    )
    return {**where, "memory": f"{project.compute.memory // 2}B", "threads": project.compute.threads}


def _destination(project: Project, resolved: Resolved, file: DestinationFile) -> None:
    try:
        kind = adapter(file.type)
        resolved.destinations[file.name] = kind(project.adapter_config(file, kind.spec.config))
    except UnknownAdapter as error:
        resolved.problems.append(project.problem(file.file, ("type",), "unknown_adapter", str(error)))
    except InvalidProject as error:
        resolved.problems += error.problems
    else:
        findings = address_findings(resolved.destinations[file.name])
        resolved.problems += (_placed(project, file.file, finding) for finding in findings)
        if file.jobs is not None and resolved.destinations[file.name].spec.jobs is None:
            message = f"a {file.type} destination makes no jobs"
            resolved.problems.append(project.problem(file.file, ("jobs",), "not_supported", message))


def _sync(project: Project, resolved: Resolved, file: SyncFile) -> None:
    majors = [major_of(d) for d in resolved.datasets if name_of(d) == file.dataset.name]
    missing = major_finding(file.dataset.name, file.dataset.major, majors)
    destination = resolved.destinations.get(file.destination)
    if missing is not None and majors:
        resolved.problems.append(_placed(project, file.file, missing))
    dataset = resolved.datasets.get(dataset_id(file.dataset.name, file.dataset.major))
    if dataset is None or destination is None:
        return
    asked = project.destinations[file.destination].consent
    rule, unasked = consent_rule(file, asked)
    findings = sync_findings(
        dataset.schema,
        match={target: part.column for target, part in file.match.items()},
        fields={target: mapped.column for target, mapped in file.fields.items()},
        consent_subject=rule.subject if rule else None,
    )
    findings = (*findings, *unasked, *mapping_findings(file, dataset.schema, {f.path for f in findings}))
    if findings:
        resolved.problems += (_placed(project, file.file, finding) for finding in findings)
        return
    sync = _resolved_sync(project, resolved, file, dataset, destination, rule)
    findings = (*_capabilities(file, sync, destination), *clearance_findings(file, sync.mapping, sync.target.clearance))
    resolved.problems += (_placed(project, file.file, finding) for finding in findings)
    if not findings:
        resolved.syncs[file.name] = sync
        resolved.warnings += consent_warnings(file, rule, asked, destination.spec)


def _resolved_sync(
    project: Project,
    resolved: Resolved,
    file: SyncFile,
    dataset: Dataset,
    destination: Destination,
    rule: ConsentRule | None,
) -> Sync:
    mapping = sync_mapping(file, dataset.schema, resolved.classes, rule)
    mapping = replace(mapping, person=next(iter(dataset.subjects), None))
    return Sync(
        id=SyncId(file.name),
        dataset=dataset,
        registers=tuple(resolved.datasets[d] for d in resolved.registers) if mapping.consent else (),
        mapping=mapping,
        target=sync_target(project, file, destination, resolved.classes),
        retry=RetryPolicy(),
        max_attempts=file.rejects.max_attempts,
        stop_ratio=file.rejects.stop_ratio,
        on_unknown=OnUnknown(file.on_unknown),
        gates=sync_rules(file),
        require_approval=project.environment.require_approval,
        approval=approval_rules(project),
        owner=file.owner or "",
        fresh_for=file.objectives.freshness,
        fresh=file.objectives.fresh,
        delivered=file.objectives.delivered,
        retain=run_rule(file),
    )


def approval_rules(project: Project) -> ApprovalRules:
    """What the environment asks of a decision about a held plan."""
    approvers, environment = project.approvers, project.environment
    named = None if approvers is None else frozenset(approvers)
    return ApprovalRules(named, environment.four_eyes, environment.approval.expires)


def _capabilities(file: SyncFile, sync: Sync, destination: Destination) -> list[Finding]:
    spec = destination.spec
    needed = _OPERATIONS[sync.mapping.mode]
    findings = [*withdrawal_findings(sync.mapping.consent, sync.mapping.mode, spec)]
    if missing := sorted(needed - spec.operations):
        message = f"mode {file.mode} needs {', '.join(missing)}, which a {spec.name} destination cannot do"
        findings.append(Finding("not_supported", message, f"it can {', '.join(sorted(spec.operations))}", ("mode",)))
    if len(file.match) > 1 and not spec.composite_match:
        findings.append(Finding("not_supported", f"a {spec.name} destination has one match key", "", ("match",)))
    for name in file.match:
        if spec.match_keys and name not in spec.match_keys:
            hint = f"it matches by {', '.join(spec.match_keys)}"
            findings.append(
                Finding("not_supported", f"`{name}` cannot be a match key of {spec.name}", hint, ("match", name))
            )
    problems = destination.problems(
        object=file.object, mode=file.mode, match=list(file.match), fields=list(file.fields)
    )
    return [*findings, *(Finding("not_supported", problem, "", ("object",)) for problem in problems)]
