"""Lineage as OpenLineage events: one for each sync, and one for each dataset that is captured.

They are *job events*, which describe a job without a run of it. Facts: https://openlineage.io/spec/2-0-2/OpenLineage.json
and the facets that are named below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

from engine.core.lineage import ColumnLineage, DatasetLineage, Known, Role, Use
from engine.service.lineage import LineageReport

Json: TypeAlias = dict[str, Any]
"""``Any``, because JSON is recursive."""

PRODUCER = "urn:tidegate:engine"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent"
_FACET = "https://openlineage.io/spec/facets/{}.json#/$defs/{}"
COLUMN_LINEAGE = _FACET.format("1-2-0/ColumnLineageDatasetFacet", "ColumnLineageDatasetFacet")
FIELDS = _FACET.format("1-1-1/SchemaDatasetFacet", "SchemaDatasetFacet")
OWNERSHIP = _FACET.format("1-0-1/OwnershipDatasetFacet", "OwnershipDatasetFacet")


def openlineage(report: LineageReport, now: datetime) -> list[Json]:
    """The events of a report, as of ``now``."""
    return [event for lineage in report.datasets for event in _events(report.project, lineage, now)]


def _events(project: str, lineage: DatasetLineage, now: datetime) -> Iterator[Json]:
    dataset = {"namespace": project, "name": lineage.dataset}
    owners = [{"name": lineage.owner}] if lineage.owner else []
    facets: Json = {
        "schema": _facet(FIELDS, fields=[{"name": c.column, "type": c.type} for c in lineage.columns]),
        "columnLineage": _facet(COLUMN_LINEAGE, fields=_captured(project, lineage.columns)),
    }
    if owners:
        facets["ownership"] = _facet(OWNERSHIP, owners=owners)
    tables = sorted({(c.origin.connection, table) for c in lineage.columns for table in c.origin.tables})
    read = [{"namespace": _connection(project, connection), "name": table} for connection, table in tables]
    yield _event(project, f"capture {lineage.dataset}", now, read, [{**dataset, "facets": facets}])
    uses = [(column, use) for column in lineage.columns for use in column.uses]
    for sync in sorted({use.sync for _, use in uses}):
        mine = [(column, use) for column, use in uses if use.sync == sync]
        yield _event(project, sync, now, [dataset], [_object(project, dataset, mine)])


def _event(project: str, job: str, now: datetime, inputs: list[Json], outputs: list[Json]) -> Json:
    return {
        "eventTime": now.isoformat(),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "job": {"namespace": project, "name": job},
        "inputs": inputs,
        "outputs": outputs,
    }


def _facet(schema: str, **content: Any) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": schema, **content}


def _connection(project: str, connection: str) -> str:
    """Tidegate's own name: the address of a source may be a secret."""
    return f"{project}/connections/{connection}"


def _captured(project: str, columns: Iterable[ColumnLineage]) -> Json:
    """The columns whose origin is known."""
    return {
        column.column: {
            "inputFields": [
                {
                    "namespace": _connection(project, column.origin.connection),
                    "name": source.table,
                    "field": source.column,
                    "transformations": [_direct("", is_same=column.origin.known is Known.AS_IT_IS)],
                }
                for source in column.origin.columns
            ]
        }
        for column in columns
        if column.origin.columns
    }


def _object(project: str, dataset: Json, uses: list[tuple[ColumnLineage, Use]]) -> Json:
    """An object of a destination with the columns that each of its fields is sent from, and those that choose its records."""
    fields: dict[str, Json] = {}
    for column, use in uses:
        if use.role is not Role.CONSENT:
            came = {**dataset, "field": column.column, "transformations": [_direct(use.form, is_same=not use.form)]}
            fields.setdefault(use.field, {"inputFields": []})["inputFields"].append(came)
    asked = [
        {**dataset, "field": column.column, "transformations": [_filter(use)]}
        for column, use in uses
        if use.role is Role.CONSENT
    ]
    _, first = uses[0]
    lineage = _facet(COLUMN_LINEAGE, fields=fields, **({"dataset": asked} if asked else {}))
    listed = _facet(FIELDS, fields=[{"name": name} for name in fields])
    namespace = f"{project}/destinations/{first.destination}"
    return {"namespace": namespace, "name": first.object, "facets": {"schema": listed, "columnLineage": lineage}}


def _direct(form: str, *, is_same: bool) -> Json:
    return {
        "type": "DIRECT",
        "subtype": "IDENTITY" if is_same else "TRANSFORMATION",
        "description": form,
        "masking": " of " in form,
    }


def _filter(use: Use) -> Json:
    return {"type": "INDIRECT", "subtype": "FILTER", "description": f"consent to {use.form}", "masking": False}
