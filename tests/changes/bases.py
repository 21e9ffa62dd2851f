"""The projects that cases start from: delivered once, kept as a folder, and copied for each case."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.projects import TestProject
from tests.receiver import Receiver

NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = 40
COUNTRIES = ("DE", "FR", "NL", "SE")
TIERS = ("free", "basic", "pro")
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "customers",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "customers",
            "properties": [
                {"name": "id", "logicalType": "integer", "primaryKey": True},
                {"name": "email", "logicalType": "string"},
                {"name": "name", "logicalType": "string"},
                {"name": "country", "logicalType": "string"},
                {"name": "tier", "logicalType": "string"},
                {"name": "spent", "logicalType": "number", "physicalType": "decimal(10,2)"},
                {"name": "visits", "logicalType": "integer"},
                {"name": "seen", "logicalType": "timestamp"},
            ],
        }
    ],
}
DATASET: dict[str, Any] = {
    "name": "customers",
    "contract": "contracts/customers-v1.odcs.yaml",
    "source": {"connection": "lake", "table": "customers.parquet"},
    "identifiers": ["email"],
}
SYNC: dict[str, Any] = {
    "name": "customers_to_hook",
    "dataset": "customers@1",
    "destination": "hook",
    "object": "contacts",
    "mode": "mirror",
    "match": {"external_id": "id"},
    "consent": {"none": "test data"},
    "fields": {"email": "email", "name": "name", "country": "country", "spent": "spent"},
}
REGISTER: dict[str, Any] = {
    **CONTRACT,
    "id": "register",
    "schema": [
        {
            "name": "register",
            "properties": [
                {"name": "receipt_id", "logicalType": "string", "primaryKey": True},
                {"name": "subject", "logicalType": "string", "required": True},
                {"name": "purpose", "logicalType": "string", "required": True},
                {"name": "status", "logicalType": "string", "required": True},
                {"name": "collected_at", "logicalType": "timestamp"},
                {"name": "expires_at", "logicalType": "timestamp"},
            ],
        }
    ],
}
MOMENT = pa.timestamp("us", "UTC")
ARROW = pa.schema(
    [
        ("id", pa.int64()),
        ("email", pa.string()),
        ("name", pa.string()),
        ("country", pa.string()),
        ("tier", pa.string()),
        ("spent", pa.decimal128(10, 2)),
        ("visits", pa.int64()),
        ("seen", MOMENT),
    ]
)


def customers(count: int = PEOPLE) -> pa.Table:
    """Rows in which nothing is wrong; the newest was seen an hour ago."""
    ids = list(range(1, count + 1))
    columns = {
        "id": ids,
        "email": [f"c{n}@example.org" for n in ids],
        "name": [f"Customer {n}" for n in ids],
        "country": [COUNTRIES[n % 4] for n in ids],
        "tier": [TIERS[n % 3] for n in ids],
        "spent": [f"{n * 3}.50" for n in ids],
        "visits": [n % 7 for n in ids],
        "seen": [NOW - timedelta(hours=n) for n in ids],
    }
    spent = pa.array(columns["spent"]).cast(pa.decimal128(10, 2))
    arrays = [spent if f.name == "spent" else pa.array(columns[f.name], f.type) for f in ARROW]
    return pa.Table.from_arrays(arrays, schema=ARROW)


def decisions(*changed: dict[str, Any]) -> pa.Table:
    """A register in which everybody agreed to e-mail ten days ago, and then what ``changed`` says, in days from now."""
    rows: list[dict[str, Any]] = [{"subject": str(n), "status": "granted", "ago": 10} for n in range(1, PEOPLE + 1)]
    rows += changed
    return pa.table(
        {
            "receipt_id": [f"r{place}" for place, _ in enumerate(rows)],
            "subject": pa.array([str(r["subject"]) for r in rows]),
            "purpose": [r.get("purpose", "email") for r in rows],
            "status": [r["status"] for r in rows],
            "collected_at": pa.array([NOW - timedelta(days=r.get("ago", 0)) for r in rows], MOMENT),
            "expires_at": pa.array(
                [None if "expires" not in r else NOW + timedelta(days=r["expires"]) for r in rows], MOMENT
            ),
        }
    )


class CorpusProject(TestProject):
    """A project of customers and, if asked for, of their consent."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, url)
        for name in ("contracts/people-v1.odcs.yaml", "datasets/people.yaml", "syncs/people_to_hook.yaml"):
            (folder / name).unlink()
        self.write("contracts/customers-v1.odcs.yaml", CONTRACT)
        self.write("datasets/customers.yaml", DATASET)
        self.write("syncs/customers_to_hook.yaml", SYNC)

    def source(self, table: pa.Table) -> None:
        self.data(table, "customers.parquet")

    def asks_for_consent(self) -> None:
        self.write("contracts/register-v1.odcs.yaml", REGISTER)
        source = {"connection": "lake", "table": "register.parquet"}
        dataset = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml"}
        self.write("datasets/register.yaml", {**dataset, "source": source})
        rule = {"purpose": "email", "subject": "id", "on_withdrawal": "delete"}
        self.write("syncs/customers_to_hook.yaml", {**SYNC, "consent": rule})
        self.data(decisions(), "register.parquet")


def _plain(project: CorpusProject) -> None:
    project.source(customers())


def _consented(project: CorpusProject) -> None:
    project.source(customers())
    project.asks_for_consent()


def _history(project: CorpusProject) -> None:
    """Five versions of about forty rows before the last."""
    for count in (38, 39, 41, 40, 39):
        project.source(customers(count))
        assert project.run("capture", "customers").code == 0
    project.source(customers())


BASES: dict[str, Callable[[CorpusProject], None]] = {"plain": _plain, "consented": _consented, "history": _history}


@dataclass(frozen=True)
class Base:
    """A project after its first run, and what the destination held then."""

    folder: Path
    records: dict[str, dict[str, Any]]

    def copied(self, folder: Path, receiver: Receiver) -> CorpusProject:
        """A copy to bend, with the destination as it was; nothing that was sent before counts any more."""
        shutil.copytree(self.folder, folder)
        receiver.records = copy.deepcopy(self.records)
        receiver.journal.clear()
        receiver.log.clear()
        receiver.sent.clear()
        receiver.forget()
        project = CorpusProject.__new__(CorpusProject)
        project.folder = folder
        return project


def made(name: str, folder: Path, receiver: Receiver) -> Base:
    """Make a base: write its files and deliver it."""
    receiver.records = {}
    project = CorpusProject(folder, receiver.url)
    BASES[name](project)
    report = project.report("customers_to_hook")
    assert (report["status"], report["delivered"]["inserts"]) == ("succeeded", PEOPLE), report
    return Base(folder, copy.deepcopy(receiver.records))
