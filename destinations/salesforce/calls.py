"""The calls that write records: where they go, and what the operator decides of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from destinations.base import Batch, Op, Record
from destinations.salesforce.records import ID, Found, body_of, key_of, written


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one org."""

    url: str
    version: str
    assigns: bool
    saves_duplicates: bool
    unsubscribes: str

    @property
    def root(self) -> str:
        """Where the API of a version begins."""
        return f"/services/data/v{self.version}"

    def call(self, method: str, path: str, content: bytes = b"", kind: str = "application/json") -> httpx.Request:
        """Any call of the API."""
        headers = {"content-type": kind} if content else {}
        if method in {"PATCH", "POST"}:
            headers["sforce-auto-assign"] = "TRUE" if self.assigns else "FALSE"
            headers |= {"sforce-duplicate-rule-header": "allowSave=true"} if self.saves_duplicates else {}
        return httpx.Request(method, self.url.rstrip("/") + self.root + path, content=content, headers=headers)

    def written(self, batch: Batch, chosen: Sequence[Record]) -> httpx.Request:
        """Records that are found by what they are matched by: an external id in an upsert, `Id` in an update."""
        key = key_of(batch)
        path = f"/{batch.object}/{key}" if batch.op is Op.UPSERT else ""
        name = "id" if key == ID else key
        content = body_of(written(batch.object, one, {name: one.key[key]}) for one in chosen)
        return self.call("PATCH", f"/composite/sobjects{path}", content)

    def by_id(self, batch: Batch, chosen: Sequence[Record], held: Found) -> httpx.Request:
        """Records all of which are there, or none of which is where they are made."""
        if batch.op is Op.DELETE:
            ids = ",".join(held.ids[one.id] for one in chosen)
            return self.call("DELETE", f"/composite/sobjects?ids={ids}&allOrNone=false")
        if batch.op is Op.INSERT:
            return self.call("POST", "/composite/sobjects", body_of(written(batch.object, o, o.key) for o in chosen))
        also = {self.unsubscribes: True} if batch.op is Op.UNSUBSCRIBE else {}
        content = body_of(written(batch.object, one, {"id": held.ids[one.id], **also}) for one in chosen)
        return self.call("PATCH", "/composite/sobjects", content)
