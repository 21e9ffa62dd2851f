"""Customer.io as far as its adapter uses it: it keeps people, tells errors by index, and blocks who was suppressed.

What its reference leaves open, the fake decides as is worst for an adapter: what is dropped is dropped without a word.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from destinations.base import Delivered, Destination, Limits, Op, Outcome, Rejected, Spec, Value
from destinations.customerio.adapter import CustomerIo
from destinations.testing.conformance import Conformance
from destinations.testing.fake import Fake, HttpFake, Sent
from destinations.testing.samples import Kind
from destinations.testing.suite import Stage

SITE, KEY = "site-of-the-suite", "an-api-key-of-the-suite"
LOGIN = "Basic " + base64.b64encode(f"{SITE}:{KEY}".encode()).decode()
ITEM_BYTES_MAX, VALUE_BYTES_MAX, NAME_BYTES_MAX, ATTRIBUTES_MAX = 32_768, 1_000, 150, 300
TEXT_BYTES = 900
_IDENTIFIERS = frozenset({"id", "email", "phone", "cio_id"})
_ACTIONS = {"identify": Op.UPSERT, "delete": Op.DELETE, "suppress": Op.DELETE}


class CustomerIoFake(HttpFake):
    """One workspace, whose people are found by ``match``."""

    limits: ClassVar[Limits | None] = Limits(records=1_000, bytes=500_000)
    answers_by_place: ClassVar[bool] = True
    match: ClassVar[str] = "id"

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.region = "eu"
        """Where the workspace is; its data is kept there."""
        self.suppressed: set[str] = set()

    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        super().put(self._folded(id), fields)

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        if (request.method, request.url.path) != ("POST", "/api/v2/batch"):
            return None
        return [self._written(item) for item in _items(request)]

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        if (request.method, request.url.path) != ("GET", "/api/v1/accounts/region"):
            return httpx.Response(404)
        host = {"us": "track", "eu": "track-eu"}[self.region]
        url = f"https://{host}.customer.io"
        return httpx.Response(200, json={"url": url, "data_center": self.region, "environment_id": 3})

    def refused(self, request: httpx.Request) -> httpx.Response:
        del request
        error = {"reason": "invalid", "field": "batch", "message": "a-value-of-somebody cannot be read"}
        return httpx.Response(400, json={"errors": [error]})

    def refused_inside(self, request: httpx.Request) -> httpx.Response | None:
        del request
        return httpx.Response(200, json={"meta": {"error": "a-value-of-somebody cannot be read"}})

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        del request
        errors = [
            {"batch_index": place, "reason": "invalid", "field": one.code, "message": one.message}
            for place, one in enumerate(outcomes)
            if isinstance(one, Rejected)
        ]
        return httpx.Response(207, json={"errors": errors}) if errors else httpx.Response(200, json={})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != LOGIN:
            return httpx.Response(401, json={"meta": {"error": "Unauthorized request"}})
        return super()._answer(request)

    def _complaint(self, request: httpx.Request, sent: Sequence[Sent]) -> str:
        if request.headers.get("content-type") != "application/json":
            return "a body is not said to be JSON"
        return next(filter(None, map(_objection, _items(request))), "") or super()._complaint(request, sent)

    def _applied(self, record: Sent) -> Outcome:
        """Whoever is blocked is not made again, and an update of nobody makes nobody: both without a word."""
        if record.id in self._rejected:
            return super()._applied(record)
        if wrong := _wrong(record.fields):
            return Rejected(record.id, f"attributes.{wrong}", f"{record.fields[wrong]} is not valid")
        before = self.records.get(record.id)
        only_there = record.fields.get("_update") is True
        if record.op is not Op.DELETE and (record.id in self.suppressed or (only_there and before is None)):
            return Delivered(record.id)
        if record.fields.get("action") == "suppress":
            self.suppressed.add(record.id)
        outcome = super()._applied(Sent(record.op, record.id))
        if record.op is not Op.DELETE:
            after = {**(before or {}), **{n: v for n, v in record.fields.items() if n != "_update"}}
            self.records[record.id] = {name: value for name, value in after.items() if value not in {None, ""}}
        return outcome

    def _written(self, item: Mapping[str, Value]) -> Sent:
        ((name, id),) = item["identifiers"].items()
        assert name == self.match, "a person is named by another identifier"
        op = _ACTIONS[item["action"]]
        fields = {"action": item["action"]} if op is Op.DELETE else item["attributes"]
        return Sent(op, self._folded(id), fields)

    def _folded(self, id: str) -> str:
        """Addresses are the same whatever their case."""
        return id.lower() if self.match == "email" else id


def _items(request: httpx.Request) -> list[dict[str, Any]]:  # a body is whatever the adapter wrote
    batch: list[dict[str, Any]] = json.loads(request.content, parse_float=Decimal)["batch"]
    return batch


def _objection(item: Mapping[str, Value]) -> str:
    """What an adapter should have known: the limits, the required members and their types."""
    ids, attributes = item["identifiers"], item.get("attributes", {})
    if item["type"] != "person" or set(item) - {"type", "action", "identifiers", "attributes"}:
        return "an item is no person"
    if len(ids) != 1 or not set(ids) <= _IDENTIFIERS or not all(isinstance(id, str) and id for id in ids.values()):
        return "a person is not named by one identifier"
    if len(json.dumps(item, default=str, ensure_ascii=False, separators=(",", ":")).encode()) > ITEM_BYTES_MAX:
        return "an item is beyond its limit"
    if len(attributes) > ATTRIBUTES_MAX or any(
        len(name.encode()) > NAME_BYTES_MAX for name in (*attributes, *ids.values())
    ):
        return "names or attributes are beyond their limit"
    if any(isinstance(value, str) and len(value.encode()) > VALUE_BYTES_MAX for value in attributes.values()):
        return "a value is beyond its limit"
    return ""


def _wrong(fields: Mapping[str, Value]) -> str:
    """The first attribute that is told by its index; empty when there is none."""
    if "@" not in str(fields.get("email") or "@"):
        return "email"
    return "created_at" if not isinstance(fields.get("created_at") or 0, int) else ""


class TestCustomerIo(Conformance):
    """People, by their id."""

    adapter: ClassVar[type[Destination]] = CustomerIo
    config: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"login": {"username": SITE, "password": KEY}, "region": "eu"}
    )
    fake: ClassVar[type[Fake]] = CustomerIoFake
    object: ClassVar[str] = "people"
    match: ClassVar[str] = "id"

    def stored(self, kind: Kind, value: Value) -> Value:
        """An empty text removes an attribute."""
        del kind
        return None if value == "" else value

    def test_a_call_never_carries_more_bytes_than_the_limit(self, stage: Stage) -> None:
        """No value may be so long that few records fill a call, so many come."""
        records = {f"long{n}@example.com": {Kind.TEXT: 'é"\n' * (TEXT_BYTES // 4)} for n in range(1_000)}

        stage.assert_delivered(records, stage.deliver(records))

        assert max(len(request.content) for request in stage.api.sent) > stage.spec.limits.bytes // 2
