"""Whom the rows of a dataset are about: the columns by which `forget` finds people, and what is worth saying of them."""

from __future__ import annotations

from config.consent import ConsentRule as ConsentBlock
from config.dataset import DatasetFile, NoSubject
from config.project import Project
from engine.contracts.finding import Finding
from engine.core.schema import TableSchema

REGISTER_SUBJECT = "subject"


def subject_columns(project: Project, file: DatasetFile, schema: TableSchema, major: int) -> tuple[str, ...]:
    """The columns that name people, the one that rows are known by first.

    A dataset says so itself, or its syncs do by their consent, or it is the primary key when that is one column.
    """
    if file.kind == "consent":
        return (REGISTER_SUBJECT,)
    asked = [
        sync.consent.subject
        for sync in project.syncs.values()
        if isinstance(sync.consent, ConsentBlock) and (sync.dataset.name, sync.dataset.major) == (file.name, major)
    ]
    said = [file.subject] if isinstance(file.subject, str) else []
    named = [column for column in dict.fromkeys((*said, *asked)) if column in {c.name for c in schema.columns}]
    if named or isinstance(file.subject, NoSubject):
        return tuple(named)
    return schema.key if len(schema.key) == 1 else ()


def subject_findings(file: DatasetFile, schema: TableSchema) -> list[Finding]:
    """What is wrong with the ``subject`` of a dataset."""
    known = [column.name for column in schema.columns]
    if not isinstance(file.subject, str) or file.subject in known:
        return []
    message = f"`{file.subject}` is not a column of the contract"
    return [Finding("unknown_column", message, f"known: {', '.join(known)}", ("subject",))]


def subject_warnings(project: Project, file: DatasetFile, columns: tuple[str, ...], major: int) -> list[str]:
    """What an operator should know before somebody asks to be forgotten, of a dataset that reaches a destination."""
    syncs = [s for s in project.syncs.values() if (s.dataset.name, s.dataset.major) == (file.name, major)]
    if not syncs or isinstance(file.subject, NoSubject) or file.kind == "consent":
        return []
    if columns:
        return []
    message = (
        f"{file.file}: no column says whom a row is about, so `tidegate forget` finds nobody in it; name one with "
        '`subject`, or say `subject: {none: "why"}`'
    )
    return [message]
