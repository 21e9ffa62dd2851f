"""Acme's adapter holds what the conformance kit demands."""

import json
from collections.abc import Sequence

import httpx

from destinations.base import Op, Outcome, Rejected, Value
from destinations.testing.conformance import Conformance
from destinations.testing.example import Acme
from destinations.testing.fake import HttpFake, Sent
from destinations.testing.samples import Kind


class AcmeFake(HttpFake):
    def received(self, request: httpx.Request) -> Sequence[Sent]:
        body = json.loads(request.content)
        return [Sent(Op(body["op"]), contact["id"], contact["fields"]) for contact in body["contacts"]]

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        errors = {o.id: [o.code, o.message] for o in outcomes if isinstance(o, Rejected)}
        return httpx.Response(200, json={"results": [{"id": o.id, "error": errors.get(o.id)} for o in outcomes]})


class TestAcme(Conformance):
    adapter = Acme
    config = {"token": "a-token-of-the-suite"}
    fake = AcmeFake

    def stored(self, kind: Kind, value: Value) -> Value:
        return f"{value:f}" if kind is Kind.DECIMAL else value
