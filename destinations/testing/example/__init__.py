"""Contacts in Acme, a CRM: one POST a batch, and an answer that names every contact."""

import httpx
import orjson
from pydantic import SecretStr

from destinations.base import Batch, Delivered, DestinationConfig, Idempotency, Limits, Op, Outcomes, Rejected, Spec
from destinations.http import HttpDestination


class AcmeConfig(DestinationConfig):
    url: str = "https://api.acme.example"
    token: SecretStr


class Acme(HttpDestination):
    config: AcmeConfig
    spec = Spec(
        name="acme",
        title="Acme",
        config=AcmeConfig,
        operations=frozenset({Op.UPSERT, Op.DELETE}),
        limits=Limits(records=100, bytes=512_000),
        idempotency=Idempotency.KEYED,
        docs="https://api.acme.example/docs",
    )

    def encode(self, batch: Batch) -> httpx.Request:
        contacts = [{"id": record.id, "fields": record.fields} for record in batch.records]
        content = orjson.dumps({"op": batch.op, "contacts": contacts}, default="{:f}".format)  # decimals, as text
        token = self.config.token.get_secret_value()
        headers = {"authorization": f"Bearer {token}", "idempotency-key": batch.idempotency_key}
        return httpx.Request("POST", f"{self.config.url}/{batch.object}", content=content, headers=headers)

    def decode(self, batch: Batch, response: httpx.Response) -> Outcomes:
        results = response.json()["results"]
        return Outcomes(tuple(Rejected(r["id"], *r["error"]) if r["error"] else Delivered(r["id"]) for r in results))
