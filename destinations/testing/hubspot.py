"""HubSpot as far as its adapter uses it: it keeps properties as text, judges each one, and answers as the docs show.

What the docs leave open is a switch: whether a bad record is told beside the others or stops the call, and whether an
answer repeats trace ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from destinations.base import Delivered, Destination, Limits, Op, Outcome, Rejected, Spec, Value
from destinations.hubspot.adapter import HubSpot
from destinations.testing.conformance import Conformance
from destinations.testing.fake import UNSUBSCRIBED, Fake, HttpFake, Sent
from destinations.testing.hubspot_properties import SCHEMA, Property, kept, objection, said
from destinations.testing.samples import Kind

TOKEN = "pat-na1-of-the-suite"  # noqa: S105  # opens nothing
SCOPES = ("crm.objects.contacts.read", "crm.objects.contacts.write", "communication_preferences.read_write")
_OPS = {"upsert": Op.UPSERT, "update": Op.UPDATE, "create": Op.INSERT}
_CATEGORIES = {"exists": "CONFLICT", "not_found": "OBJECT_NOT_FOUND"}


class HubSpotFake(HttpFake):
    """One object type of an account, whose records are found by ``match``."""

    limits: ClassVar[Limits | None] = Limits(records=100, bytes=3_000_000)
    match: ClassVar[str] = "email"
    token: ClassVar[str] = TOKEN
    """The only token that is taken; empty where somebody else judges tokens."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.schema = dict(SCHEMA)
        self.tells_each = True
        """Whether a bad record is told beside the others (207), or the call is refused for it."""
        self.repeats_trace_ids = True
        self.lowers_addresses = False
        self.aliases: dict[str, str] = {}
        """The key of a contact by another address of it."""
        self.scopes = SCOPES
        self.calls_left: int | None = None
        """Of the day; None for as many as anybody wants."""
        self.gone: set[str] = set()
        """The records that were deleted for good."""
        self._ids: dict[str, str] = {}
        self._wrong: dict[str, tuple[str, str]] = {}

    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        super().put(id, {self.match: id, **{name: kept(self.schema[name], said(v)) for name, v in fields.items()}})

    def id_of(self, key: str) -> str:
        """HubSpot's own id of a record."""
        return self._ids.setdefault(key, str(1000 + len(self._ids)))

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        path, verb = request.url.path, request.url.path.rpartition("/")[2]
        if path.startswith("/communication-preferences/v4/statuses/batch/"):
            emails = [i if isinstance(i, str) else i["subscriberIdString"] for i in _body(request)["inputs"]]
            return [Sent(Op.UNSUBSCRIBE, key) for key, held in self.records.items() if held.get("email") in emails]
        if verb == "gdpr-delete":
            return [Sent(Op.DELETE, self._key_of(_body(request)["objectId"]))]
        if verb == "archive":
            return [Sent(Op.DELETE, self._key_of(one["id"])) for one in _body(request)["inputs"]]
        if verb in _OPS and path.startswith("/crm/v3/objects/"):
            return [Sent(_OPS[verb], self._key(one), _properties(one)) for one in _body(request)["inputs"]]
        return None

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/account-info/v3/details":
                return httpx.Response(200, json={"portalId": 4242, "timeZone": "Europe/Dublin"})
            case "/oauth/v2/private-apps/get/access-token-info":
                return httpx.Response(200, json={"hubId": 4242, "scopes": list(self.scopes)})
            case path if path.startswith("/crm/v3/properties/"):
                return httpx.Response(200, json={"results": [_described(n, p) for n, p in self.schema.items()]})
            case path if path.startswith("/crm/v3/schemas/"):
                return httpx.Response(200, json={"requiredProperties": ["crm_key"]})
            case path if path.endswith("/batch/read"):
                return self._read(_body(request))
            case _:
                return error(404, "OBJECT_NOT_FOUND", "resource not found")

    def refused(self, request: httpx.Request) -> httpx.Response:
        del request
        return error(400, "VALIDATION_ERROR", "Invalid input: one of the properties holds what cannot be")

    def refused_inside(self, request: httpx.Request) -> httpx.Response | None:
        del request
        return _answer([], [{"status": "error", "category": "VALIDATION_ERROR", "message": "nothing was done"}])

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        if request.url.path.rpartition("/")[2] in {"archive", "gdpr-delete"}:
            return httpx.Response(204)
        if request.url.path.startswith("/communication-preferences"):
            return httpx.Response(200, json={"status": "COMPLETE", "results": []})
        traces = {self._key(one): one["objectWriteTraceId"] for one in _body(request)["inputs"]}
        results = [self._result(one.id, traces) for one in outcomes if isinstance(one, Delivered)]
        errors = [self._error(one, traces) for one in outcomes if isinstance(one, Rejected)]
        return _answer(results, errors, 201 if request.url.path.endswith("create") else 200)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if "crm/v3/objects" in request.url.path and "crm.objects.contacts.write" not in self.scopes:
            needed = {"requiredGranularScopes": ["crm.objects.contacts.write", "crm.objects.companies.write"]}
            lacking = [{"message": "One or more of the following scopes are required.", "context": needed}]
            return error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes", errors=lacking)
        if self.calls_left == 0:
            return error(429, "RATE_LIMITS", "You have reached your daily limit.", policyName="DAILY")
        self.calls_left = None if self.calls_left is None else self.calls_left - 1
        return super()._answer(request)

    def _complaint(self, request: httpx.Request, sent: Sequence[Sent]) -> str:
        inputs = _body(request).get("inputs", [])
        written = [one for one in inputs if isinstance(one, dict) and "properties" in one]
        if len({one["objectWriteTraceId"] for one in written}) < len(written):
            return "one trace id came twice"
        if any(not isinstance(value, str) for one in written for value in one["properties"].values()):
            return "a property is no text"
        if request.url.path.endswith("upsert") and any(one["idProperty"] != self.match for one in written):
            return "an upsert does not say by which property"
        if request.url.path.endswith("unsubscribe-all") and request.url.params.get("channel") != "EMAIL":
            return "an unsubscribe names no channel"
        return super()._complaint(request, sent)

    def _first(self, request: httpx.Request, sent: Sequence[Sent]) -> httpx.Response:
        """A property that is not there, or may not be written, refuses the call, and without 207 so does any bad record."""
        self._wrong = {record.id: wrong for record in sent if (wrong := self._judged(record)) is not None}
        for name, code in self._wrong.values():
            if code in {"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"}:
                return error(400, "VALIDATION_ERROR", _wording(name, code))
        bad = [record.id for record in sent if record.id in self._wrong or record.id in self._rejected]
        if bad and not self.tells_each and sent[0].op in {Op.UPSERT, Op.UPDATE}:
            return error(400, "VALIDATION_ERROR", _wording(*self._wrong.get(bad[0], ("nickname", "INVALID_VALUE"))))
        if request.url.path.endswith("gdpr-delete"):
            self.gone |= {record.id for record in sent}
        return super()._first(request, sent)

    def _applied(self, record: Sent) -> Outcome:
        """An opt-out outlives every write of its contact."""
        if record.id in self._wrong:
            return Rejected(record.id, "invalid", "a property is not valid")
        was_out = UNSUBSCRIBED in self.records.get(record.id, {})
        fields = {self.match: record.id, **{n: kept(self.schema[n], v) for n, v in record.fields.items()}}
        outcome = super()._applied(replace(record, fields=fields))
        if was_out and record.id in self.records:
            self.records[record.id][UNSUBSCRIBED] = True
        return outcome

    def _judged(self, record: Sent) -> tuple[str, str] | None:
        for name, text in record.fields.items():
            if name not in self.schema:
                return name, "PROPERTY_DOESNT_EXIST"
            if self.schema[name].is_fixed:
                return name, "READ_ONLY_VALUE"
            if code := objection(name, self.schema[name], text):
                return name, code
        return None

    def _key(self, one: Mapping[str, Value]) -> str:
        """The key of a record as it is written: a call may name HubSpot's own id instead."""
        if "id" in one and "idProperty" not in one:
            return self._key_of(one["id"])
        key = str(one["id"] if "id" in one else one["properties"][self.match])
        return self.aliases.get(key, key)

    def _key_of(self, id: str) -> str:
        return next((key for key in self.records if self.id_of(key) == id), f"nobody-{id}")

    def _result(self, key: str, traces: Mapping[str, str]) -> dict[str, Value]:
        held = {n: v for n, v in self.records.get(key, {self.match: key}).items() if n != UNSUBSCRIBED}
        if self.lowers_addresses and self.match == "email":
            held["email"] = str(held["email"]).lower()
        trace = {"objectWriteTraceId": traces[key]} if self.repeats_trace_ids and key in traces else {}
        return {"id": self.id_of(key), "properties": held, "archived": False, **trace}

    def _error(self, one: Rejected, traces: Mapping[str, str]) -> dict[str, Value]:
        wording = _wording(*self._wrong[one.id]) if one.id in self._wrong else one.message
        context = {"objectWriteTraceId": [traces[one.id]]} if one.id in traces else {}
        category = _CATEGORIES.get(one.code, "VALIDATION_ERROR")
        return {"status": "error", "category": category, "message": wording, "context": context}

    def _read(self, body: Mapping[str, Value]) -> httpx.Response:
        keys = [self._key({**one, **{n: v for n, v in body.items() if n == "idProperty"}}) for one in body["inputs"]]
        results = [self._result(key, {}) for key in keys if key in self.records]
        missing = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some objects"}
        ids = [key for key in keys if key not in self.records]
        return _answer(results, [{**missing, "context": {"ids": ids}}] if ids else [])


def error(status: int, category: str, message: str, **more: Value) -> httpx.Response:
    """A refusal as HubSpot writes it."""
    body = {"status": "error", "message": message, "correlationId": "0000", "category": category, **more}
    return httpx.Response(status, json=body)


def _answer(results: list[Value], errors: list[Value], status: int = 200) -> httpx.Response:
    told = {"numErrors": len(errors), "errors": errors} if errors else {}
    return httpx.Response(207 if errors else status, json={"status": "COMPLETE", "results": results, **told})


def _body(request: httpx.Request) -> dict[str, Any]:  # a body is whatever the adapter wrote
    body: dict[str, Any] = json.loads(request.content)
    return body


def _properties(one: Mapping[str, Value]) -> Mapping[str, Value]:
    return one["properties"]  # type: ignore[no-any-return]  # JSON


def _described(name: str, held: Property) -> dict[str, Value]:
    fixed = {"readOnlyValue": held.is_fixed}
    return {"name": name, "type": held.type, "hasUniqueValue": held.is_unique, "modificationMetadata": fixed}


def _wording(name: str, code: str) -> str:
    """The JSON inside a message; it quotes the value, which must go no further."""
    wrong = {"isValid": False, "message": "a-value-of-somebody was not valid", "error": code, "name": name}
    return f"Property values were not valid: {json.dumps([wrong])}"


class TestHubSpot(Conformance):
    """Contacts, by their address."""

    adapter: ClassVar[type[Destination]] = HubSpot
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({"login": {"token": TOKEN}})
    fake: ClassVar[type[Fake]] = HubSpotFake
    match: ClassVar[str] = "email"
    keys: ClassVar[Sequence[str]] = ("ada@example.com", "a+b@example.com", "0012@example.com", "zoë@example.com")
    fields: ClassVar[Mapping[Kind, str]] = MappingProxyType(
        dict(zip(Kind, ("nickname", "seats", "revenue", "is_vip", "signup", "seen_at"), strict=True))
    )

    def stored(self, kind: Kind, value: Value) -> Value:
        """HubSpot keeps text, and takes an empty one for none."""
        return kept(SCHEMA[self.fields[kind]], said(value))
