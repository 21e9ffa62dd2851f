"""Every broken project of the corpus is refused with its code, file, line and message, and shows no secret.

A case changes the valid project in ``base/``: ``edit``/``edits`` replace text, ``write`` puts a file, ``copy``/``copies``
copy one, ``link`` and ``remove`` do as they say. ``expect`` lists every problem there is; an empty list means valid.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.consent import ConsentRule
from config.problems import InvalidProject, Problem
from config.project import Project, load_project
from config.sync import SyncFile
from engine.contracts.finding import Finding
from engine.contracts.odcs import Contract, read_contract
from engine.contracts.references import dataset_findings, duplicate_majors, major_finding, sync_findings
from engine.core.classification import Classifications
from engine.core.schema import TableSchema
from engine.service.identifiers import identifier_findings
from engine.service.mapping import clearance_findings, mapping_findings, project_classes, sync_mapping
from engine.service.target import destination_clearance

HERE = Path(__file__).parent
CANARY = "planted-canary-7f3a"
ENV = {"MARTS_URL": f"postgresql://reader:{CANARY}@127.0.0.1/marts", "CRM_SECRET": CANARY}


def cases() -> Iterator[Any]:
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text()):
            yield pytest.param(case, id=f"{path.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(cases()))
def test_each_project_is_judged_as_its_case_says(case: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    shutil.copytree(HERE / "base", folder)
    change(folder, case)

    problems = judged(folder, case.get("environment"), {**ENV, **case.get("env", {})})

    expected = sorted((e["file"], e["line"], e["code"], e["message"]) for e in case["expect"])
    found = sorted((p.file, p.line, p.code, str(p)) for p in problems)
    assert [row[:3] for row in found] == [row[:3] for row in expected], "\n".join(map(repr, problems))
    for (*_, text), (*_, fragment) in zip(found, expected, strict=True):
        assert fragment in text
    shown = repr(problems) + str(InvalidProject(problems)) + repr(InvalidProject(problems))
    assert CANARY not in shown


def change(folder: Path, case: dict[str, Any]) -> None:
    for edit in case.get("edits", [case["edit"]] if "edit" in case else []):
        path = folder / edit["file"]
        text = path.read_text()
        assert text.count(edit["old"]) == 1, f"{edit['old']!r} must stand once in {edit['file']}"
        path.write_text(text.replace(edit["old"], edit["new"] + edit.get("pad", "") * edit.get("times", 1)))
    for copy in case.get("copies", [case["copy"]] if "copy" in case else []):
        text = (folder / copy["file"]).read_text()
        assert copy.get("old", "") in text
        (folder / copy["to"]).write_text(text.replace(copy["old"], copy["new"]) if "old" in copy else text)
    if write := case.get("write"):
        path = folder / write["file"]
        path.parent.mkdir(exist_ok=True)
        text = write.get("text", "") + write.get("repeat", "") * write.get("times", 1)
        path.write_bytes(bytes.fromhex(write["hex"]) if "hex" in write else text.encode())
    if link := case.get("link"):
        (folder / link["file"]).symlink_to(link["to"])
    if "remove" in case:
        (folder / case["remove"]).unlink()


def judged(folder: Path, environment: str | None, env: dict[str, str]) -> list[Problem]:
    """All problems of the files, or, if the files are sound, those of the contracts and their columns."""
    try:
        project = load_project(folder, environment=environment, env=env)
    except InvalidProject as error:
        return list(error.problems)
    assert CANARY not in repr(project)
    return [project.problem(file, path, code, message, hint) for file, (code, message, hint, path) in findings(project)]


def findings(project: Project) -> Iterator[tuple[str, Finding]]:
    contracts: dict[str, Contract] = {}
    classes = project_classes(project.clearance)
    for file, document in project.contracts.items():
        read = read_contract(document.data, classes)
        if isinstance(read, Contract):
            contracts[file] = read
        else:
            yield from ((file, finding) for finding in read.findings)
    majors: dict[str, dict[int, Contract]] = {}
    declared = []
    for dataset in project.datasets.values():
        contract = contracts.get(project.contract_of(dataset).file)
        if contract is None:
            continue
        declared.append((dataset.file, dataset.name, contract.major))
        majors.setdefault(dataset.name, {})[contract.major] = contract
        consent = dataset.kind == "consent"
        valued = dataset.gates.values.columns if dataset.gates.values else ()
        for finding in dataset_findings(
            contract.schema, identifiers=dataset.identifier_columns, valued=valued, holds_consent=consent
        ):
            yield dataset.file, finding
        yield from ((dataset.file, finding) for finding in identifier_findings(dataset, contract.schema))
    yield from duplicate_majors(declared)
    for sync in project.syncs.values():
        known = majors.get(sync.dataset.name, {})
        if not known:
            continue
        missing = major_finding(sync.dataset.name, sync.dataset.major, known)
        if missing:
            yield sync.file, missing
            continue
        for finding in sync_problems(project, sync, known[sync.dataset.major].schema, classes):
            yield sync.file, finding


def sync_problems(project: Project, sync: SyncFile, schema: TableSchema, classes: Classifications) -> list[Finding]:
    subject = sync.consent.subject if isinstance(sync.consent, ConsentRule) else None
    fields = {target: field.column for target, field in sync.fields.items()}
    match = {target: part.column for target, part in sync.match.items()}
    found = [*sync_findings(schema, match=match, fields=fields, consent_subject=subject)]
    found += mapping_findings(sync, schema, {finding.path for finding in found})
    if found:
        return found
    clearance = destination_clearance(project.destinations[sync.destination], classes)
    return clearance_findings(sync, sync_mapping(sync, schema, classes), clearance)
