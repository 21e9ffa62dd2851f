"""A project in which every input holds marked values, and a destination that echoes all that it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from engine.clock import SystemClock
from tests.canaries import PERSONAL, SECRETS
from tests.projects import TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"
KEY = PERSONAL["key"]
PURPOSE = "email_marketing"
CLOSED = "127.0.0.1:9"
"""Nothing listens on the port of discard."""
_CLASSES: Mapping[str, str] = {
    "id": "confidential",
    "subject": "confidential",
    "email": "confidential",
    "phone": "confidential",
    "name": "confidential",
    "national_id": "restricted",
    "note": "restricted",
    "country": "internal",
}
ENVIRONMENT: Mapping[str, str] = {
    "HOOK_SECRET": SECRETS["webhook secret"],
    "HOOK_SECRET_BEFORE": SECRETS["webhook secret before the rotation"],
    "HOOK_TOKEN": SECRETS["header token"],
    "MARTS_URL": f"postgresql://reader:{quote(SECRETS['password of a source'], safe='')}@{CLOSED}/marts",
    "SQL_URL": f"postgresql://writer:{quote(SECRETS['password of a SQL destination'], safe='')}@{CLOSED}/crm",
    "SHARED_LEDGER": f"postgresql+psycopg://t:{quote(SECRETS['password of a ledger'], safe='')}@{CLOSED}/ledger",
    "CLIENT_SECRET": SECRETS["client secret"],
    "UNNAMED": SECRETS["variable that nobody names"],
    "TIDEGATE_LOG_LEVEL": "debug",
}


def people(address: str = PERSONAL["e-mail"], rows: int = 4, **changed: list[Any]) -> pa.Table:
    """One marked row and some that are not."""
    others = range(1, rows)
    columns: dict[str, list[Any]] = {
        "id": [KEY, *(f"k{n}" for n in others)],
        "subject": [PERSONAL["subject"], *(f"s{n}" for n in others)],
        "email": [address, *(f"p{n}@example.org" for n in others)],
        "phone": [PERSONAL["telephone"], *(f"+33 1 {n}" for n in others)],
        "name": [PERSONAL["name"], *(f"Somebody {n}" for n in others)],
        "national_id": [PERSONAL["national id"], *(f"N{n}" for n in others)],
        "note": [PERSONAL["free text"], *(f"n{n}" for n in others)],
        "income": [float(PERSONAL["number"]), *(float(n) for n in others)],
        "country": ["FR"] * rows,
    }
    return pa.table({**columns, **changed})


def written(folder: Path, url: str) -> TestProject:
    """The project's files and its first data."""
    project = TestProject(folder, url)
    _settings(project)
    _contracts(project)
    project.data(people())
    register = _register()
    project.data(register, "consents.parquet")
    _destinations(project, url)
    project.sync(SYNC, **_mapping("hook"))
    return project


def _settings(project: TestProject) -> None:
    storage = ".tidegate/segments"
    environments = {
        "development": {"ledger": "sqlite:///.tidegate/ledger.db", "storage": storage},
        "recorded": {
            "ledger": "sqlite:///.tidegate/recorded.db",
            "storage": ".tidegate/segments-r",
            "deliver": "record",
        },
        "shared": {"ledger": "${env:SHARED_LEDGER}", "storage": storage},
    }
    connections = {
        "lake": {"type": "files", "path": "data"},
        "marts": {"type": "postgres", "url": "${env:MARTS_URL}"},
    }
    content = {"name": "marked", "environment": "development", "environments": environments, "connections": connections}
    project.write("tidegate.yaml", {**content, "compute": {"memory": "512MB", "threads": 2}})


def _contract(name: str, properties: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"apiVersion": "v3.0.2", "kind": "DataContract", "id": name, "name": name, "version": "1.0.0"}
    return {**head, "status": "active", "schema": [{"name": name, "properties": properties}]}


def _contracts(project: TestProject) -> None:
    columns: list[dict[str, Any]] = [
        {"name": name, "logicalType": "string", "classification": level} for name, level in _CLASSES.items()
    ]
    columns[0] |= {"primaryKey": True, "required": True}
    columns.append(
        {"name": "income", "logicalType": "number", "physicalType": "double", "classification": "confidential"}
    )
    project.write("contracts/people-v1.odcs.yaml", _contract("people", columns))
    texts = [{"name": name, "logicalType": "string"} for name in ("subject", "purpose", "status")]
    moments = [{"name": name, "logicalType": "timestamp"} for name in ("collected_at", "expires_at")]
    receipt = {"name": "receipt_id", "logicalType": "string", "primaryKey": True, "classification": "confidential"}
    texts[0]["classification"] = "confidential"
    project.write("contracts/consents-v1.odcs.yaml", _contract("consents", [receipt, *texts, *moments]))
    source = {"connection": "lake", "table": "consents.parquet"}
    content = {"name": "consents", "kind": "consent", "contract": "contracts/consents-v1.odcs.yaml", "source": source}
    project.write("datasets/consents.yaml", content)
    far = {"name": "far", "contract": "contracts/people-v1.odcs.yaml"}
    project.write("datasets/far.yaml", {**far, "source": {"connection": "marts", "table": "people"}})


def _register() -> pa.Table:
    subjects = [PERSONAL["subject"], *(f"s{n}" for n in range(1, 4))]
    moment = pa.timestamp("us", "UTC")
    taken = SystemClock().now() - timedelta(days=3)
    return pa.table(
        {
            "receipt_id": [PERSONAL["receipt"], *(f"r{n}" for n in range(1, 4))],
            "subject": subjects,
            "purpose": [PURPOSE] * 4,
            "status": ["granted"] * 4,
            "collected_at": pa.array([taken] * 4, moment),
            "expires_at": pa.array([None] * 4, moment),
        }
    )


def _destinations(project: TestProject, url: str) -> None:
    config = {
        "url": url,
        "secret": ["${env:HOOK_SECRET}", "${env:HOOK_SECRET_BEFORE}"],
        "headers": {"Authorization": "${env:HOOK_TOKEN}", "X-Token": SECRETS["header token written in a file"]},
    }
    most = {"clearance": "restricted"}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": config, **most})
    project.write(
        "destinations/table.yaml", {"name": "table", "type": "sql", "config": {"url": "${env:SQL_URL}"}, **most}
    )
    project.sync("people_to_table", **_mapping("table"))
    project.sync("far_to_hook", **{**_mapping("hook"), "dataset": "far@1", "object": "far"})


def _mapping(destination: str) -> dict[str, Any]:
    fields = {name: name for name in (*_CLASSES, "income") if name not in {"id", "subject"}}
    return {
        "destination": destination,
        "match": {"external_id": "id"},
        "fields": fields,
        "consent": {"purpose": PURPOSE, "subject": "subject"},
        "gates": {"deletes": {"max": 1, "on_fail": "review"}},
        "rejects": {"max_attempts": 2, "stop_ratio": 1.0},
    }


@dataclass(frozen=True)
class Echo:
    """One way in which a destination throws what it was sent back."""

    name: str
    answer: Callable[[dict[str, Any]], Answer | None]


def _all(body: dict[str, Any]) -> bytes:
    """The body, and every secret that came with it, as careless servers print what they choke on."""
    return json.dumps({"got": body, "secrets": list(SECRETS.values())}).encode()


def _results(body: dict[str, Any], status: str, told: Callable[[dict[str, Any]], str]) -> Answer:
    results = [{"id": r["id"], "status": status, "code": told(r)[:60], "message": told(r)} for r in body["records"]]
    return 200, {"content-type": "application/json"}, json.dumps({"results": results}).encode()


def _fields(record: dict[str, Any]) -> str:
    return " ".join([record["id"], *map(str, record.get("fields", {}).values())])


def _packed(record: dict[str, Any]) -> str:
    return base64.b64encode(_fields(record).encode()).decode()


ECHOES: tuple[Echo, ...] = (
    Echo("rejects each record in its own words", lambda body: _results(body, "rejected", _fields)),
    Echo("rejects each record in base64", lambda body: _results(body, "rejected", _packed)),
    Echo("fails each record with its address", lambda body: _results(body, "failed", lambda r: quote(_fields(r)))),
    Echo("refuses the call with all of it", lambda body: (400, {}, _all(body))),
    Echo("refuses the call with its names", lambda body: (422, {}, " ".join(map(_fields, body["records"])).encode())),
    Echo("breaks down", lambda body: (500, {"X-Echo": quote(_all(body).decode())}, _all(body))),
    Echo("does not know the credential", lambda body: (401, {"WWW-Authenticate": quote(str(body))}, _all(body))),
    Echo("redirects", lambda body: (302, {"Location": f"http://{CLOSED}/?q={quote(str(body))}"}, _all(body))),
    Echo("throttles", lambda body: (429, {"Retry-After": "0", "X-Echo": quote(str(body))}, _all(body))),
    Echo("answers what nobody can read", lambda body: (200, {}, b"<html>" + _all(body))),
    Echo(
        "names records that were not sent",
        lambda body: _results({"records": [{"id": _fields(r)} for r in body["records"]]}, "delivered", _fields),
    ),
)


def echoing(receiver: Receiver, echo: Echo | None) -> None:
    """Let the destination answer like this from now on; None lets it take what it is sent."""
    receiver.answer = (lambda _: None) if echo is None else echo.answer
