"""An API that is described and not programmed: contacts, told one by one, under an idempotency key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from destinations.base import Destination, Failed, Op, Outcome, Rejected
from destinations.http_api.adapter import HttpApi, spec_of
from destinations.http_api.config import HttpApiConfig
from destinations.testing.conformance import Conformance
from destinations.testing.fake import Fake, HttpFake, Sent

TOKEN = "a-token-of-acme"  # noqa: S105  # of the suite
ACME: Mapping[str, Any] = MappingProxyType(
    {
        "url": "https://api.acme.example/v2",
        "login": {"token": TOKEN},
        "limits": {"records": 100},
        "idempotency": {"header": "Idempotency-Key"},
        "operations": {
            "upsert": {
                "path": "/contacts/batch",
                "body": {"contacts": {"$each": {"id": "$id", "properties": "$fields"}}},
            },
            "delete": {"path": "/contacts/delete", "body": {"contacts": {"$each": {"id": "$id"}}}},
        },
        "answers": {
            "records": [
                {
                    "list": "results",
                    "id": "id",
                    "status": {"at": "status", "delivered": ["ok"], "rejected": ["invalid"]},
                    "message": "why",
                }
            ]
        },
    }
)
"""The description that docs/destinations/http/acme.yaml shows."""


def described(config: Mapping[str, Any]) -> type[HttpApi]:
    """An adapter whose class says what a description does, for suites, which ask the class."""
    return type("Described", (HttpApi,), {"spec": spec_of(HttpApiConfig.model_validate(config))})


class AcmeFake(HttpFake):
    """Acme, as far as the description goes."""

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        if request.method != "POST":
            return None
        body: dict[str, Any] = json.loads(request.content, parse_float=Decimal)  # whatever the adapter wrote
        op = {"/v2/contacts/batch": Op.UPSERT, "/v2/contacts/delete": Op.DELETE}[request.url.path]
        return [Sent(op, one["id"], one.get("properties", {})) for one in body["contacts"]]

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        del request
        told = [
            {"id": one.id, "status": "invalid", "why": one.message}
            if isinstance(one, Rejected)
            else {"id": one.id, "status": "busy" if isinstance(one, Failed) else "ok"}
            for one in outcomes
        ]
        return httpx.Response(200, json={"results": told})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401)
        return super()._answer(request)


class TestDescribed(Conformance):
    """Acme, by its description."""

    config: ClassVar[Mapping[str, Any]] = ACME
    adapter: ClassVar[type[Destination]] = described(ACME)
    fake: ClassVar[type[Fake]] = AcmeFake
