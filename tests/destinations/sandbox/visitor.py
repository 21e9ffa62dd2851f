"""A running sandbox as a test meets it: over its socket, with nothing of its inside in reach."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from destinations.sandbox.server import running

JSON = {"content-type": "application/json"}
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS, and reading the certificates of all authorities takes longer than most tests."""


@dataclass(frozen=True)
class Visitor:
    """``http`` keeps its connections, as a destination's client does."""

    http: httpx.Client

    def send(self, *records: Mapping[str, Any], key: str = "k1", **members: Any) -> httpx.Response:
        """Post a batch; ``members`` replace those of the body."""
        body = {"sync": "s", "object": "contacts", "plan": "p", "batch": 0, "records": list(records), **members}
        return self.post(json.dumps(body).encode(), key)

    def post(self, content: bytes, key: str = "k1") -> httpx.Response:
        return self.http.post("/batches", content=content, headers={**JSON, "idempotency-key": key})

    def switch(self, *faults: Mapping[str, Any]) -> None:
        """Replace the faults."""
        answer = self.http.put("/faults", json={"faults": list(faults)})
        assert answer.status_code == 200, answer.text

    @property
    def faults(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/faults").json()["faults"]
        return found

    def held(self, object: str = "contacts") -> dict[str, Any]:
        """Fields by id of the records of one object."""
        return {record["id"]: record["fields"] for record in self.http.get(f"/objects/{object}").json()}

    @property
    def journal(self) -> list[tuple[str, str, str]]:
        """Idempotency key, id and outcome of every record that arrived, in order."""
        entries = self.http.get("/journal").json()
        assert [entry["order"] for entry in entries] == list(range(1, len(entries) + 1))
        return [(entry["idempotency_key"], entry["id"], entry["outcome"]) for entry in entries]

    @property
    def page(self) -> httpx.Response:
        return self.http.get("/")


@contextmanager
def visiting(folder: Path, rate: float | None = None) -> Iterator[Visitor]:
    """Serve a store on a free port for as long as a block lasts."""
    with (
        running(0, folder, rate) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=10, verify=_NO_AUTHORITIES) as client,
    ):
        yield Visitor(client)


def upsert(id: str, **fields: Any) -> dict[str, Any]:
    return {"op": "upsert", "id": id, "key": {"id": id}, "fields": fields, "changed": sorted(fields)}


def other(op: str, id: str, **fields: Any) -> dict[str, Any]:
    return {**upsert(id, **fields), "op": op}


def delete(id: str) -> dict[str, Any]:
    return {"op": "delete", "id": id, "key": {"id": id}}
