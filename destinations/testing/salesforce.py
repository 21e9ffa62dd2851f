"""Salesforce as far as its adapter uses it: it judges each record by the fields of its object, and tells all in their order.

A field that is not there and JSON of another type refuse the call, as what reads it knows the object; everything else is
told for its record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx

from destinations.base import Delivered, Destination, Limits, Op, Outcome, Rejected, Spec, Value
from destinations.salesforce.adapter import Salesforce
from destinations.testing.conformance import Conformance
from destinations.testing.fake import UNSUBSCRIBED, Fake, Sent
from destinations.testing.issuer import IssuesTokens
from destinations.testing.salesforce_fields import SCHEMA, Column, is_of_type, kept, objection
from destinations.testing.samples import KEYS, SAMPLES, Kind

SECRET = "a-client-secret-of-the-suite"  # noqa: S105  # opens nothing
CLIENT = {"client_id": "app", "client_secret": SECRET, "proof": "body", "token_url": IssuesTokens.token_url}
ROOT = "/services/data/v67.0"
_QUERY = re.compile(r"SELECT Id(?:,(\w+))? FROM (\w+) WHERE (\w+) IN \((.*)\)", re.DOTALL)
_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'|(-?[0-9.]+)", re.DOTALL)
WORDS = {
    "exists": "DUPLICATE_VALUE",
    "not_found": "INVALID_CROSS_REFERENCE_KEY",
    "rejected": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
}


class SalesforceFake(IssuesTokens):
    """One object of an org, whose records are found by ``match``."""

    limits: ClassVar[Limits | None] = Limits(records=200, bytes=6_000_000)
    answers_by_place: ClassVar[bool] = True
    match: ClassVar[str] = "Ext_Key__c"
    object: ClassVar[str] = "Contact"

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.schema = dict(SCHEMA)
        self.calls, self.calls_max = 0, 150_000
        """Of the day; those that were made are told by every answer."""
        self.may_write = True
        self.twice: set[str] = set()
        """Keys that two records have."""
        self.is_busy = False
        """Whether too many long calls run."""
        self._wrong: dict[str, tuple[str, str]] = {}
        self._ids: dict[str, str] = {}

    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        super().put(id, {name: kept(self.schema[name], value) for name, value in fields.items()})

    def id_of(self, key: str) -> str:
        """Salesforce's own id of a record."""
        return self._ids.setdefault(key, f"003{len(self._ids):012d}AAA")

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        path = request.url.path.removeprefix(f"{ROOT}/composite/sobjects")
        if path == request.url.path:
            return None
        if request.method == "DELETE":
            assert request.url.params["allOrNone"] == "false", "one record takes others with it"
            return [Sent(Op.DELETE, self._key_of(id)) for id in request.url.params["ids"].split(",")]
        records = _body(request)["records"]
        match request.method:
            case "PATCH" if path:
                assert path == f"/{self.object}/{self.match}", "an upsert is by the external id of the object"
                return [Sent(Op.UPSERT, str(one[self.match]), _fields(one, self.match)) for one in records]
            case "PATCH":
                return [self._by_id(one) for one in records]
            case "POST":
                return [Sent(Op.INSERT, str(one[self.match]), _fields(one, self.match)) for one in records]
            case _:
                return None

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        match request.url.path.removeprefix(ROOT):
            case "/limits":
                calls = {"Max": self.calls_max, "Remaining": self.calls_max - self.calls}
                return httpx.Response(200, json={"DailyApiRequests": calls})
            case "/composite":
                parts = _body(request)["compositeRequest"]
                assert len(parts) <= 5, "a composite call has five queries"
                return httpx.Response(200, json={"compositeResponse": [self._asked(part) for part in parts]})
            case path if path == f"/sobjects/{self.object}/describe":
                return httpx.Response(200, json={"fields": [c.described(n) for n, c in self.schema.items()]})
            case "/sobjects/Account/describe" | "/sobjects/User/describe" | "/sobjects/Group/describe":
                other = {"Id": SCHEMA["Id"], "Name": Column(), "Ext_Key__c": SCHEMA["Ext_Key__c"]}
                return httpx.Response(200, json={"fields": [c.described(n) for n, c in other.items()]})
            case _:
                return error(404, "NOT_FOUND", "The requested resource does not exist")

    def refused(self, request: httpx.Request) -> httpx.Response:
        del request
        return error(400, "JSON_PARSER_ERROR", "a-value-of-somebody cannot be read")

    def refused_inside(self, request: httpx.Request) -> httpx.Response | None:
        sent = self.received(request) or ()
        wrong = {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "a-value-of-somebody", "fields": []}
        return httpx.Response(200, json=[{"success": False, "errors": [wrong]} for _ in sent])

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        del request
        return httpx.Response(200, json=[self._result(one) for one in outcomes])

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_busy:
            return error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
        if self.calls >= self.calls_max:
            return self._counted(error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
        self.calls += 1
        if not self.may_write and request.method != "GET":
            return error(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object of somebody")
        return self._counted(super()._answer(request))

    def _counted(self, answer: httpx.Response) -> httpx.Response:
        answer.headers["sforce-limit-info"] = f"api-usage={self.calls}/{self.calls_max}"
        return answer

    def _complaint(self, request: httpx.Request, sent: Sequence[Sent]) -> str:
        if request.method != "DELETE":
            body = _body(request)
            if body["allOrNone"] is not False or request.headers.get("sforce-auto-assign") != "FALSE":
                return "one record takes others with it, or assignment rules run"
            if any(one["attributes"] != {"type": self.object} for one in body["records"]):
                return "a record is of no type"
        return super()._complaint(request, sent)

    def _first(self, request: httpx.Request, sent: Sequence[Sent]) -> httpx.Response:
        for record in sent:
            for name, value in record.fields.items():
                if name not in self.schema:
                    words = f"No such column '{name}' on sobject of type {self.object}"
                    return error(400, "INVALID_FIELD", words)
                if not is_of_type(self.schema[name], value):
                    place = _place(request.content, record.id, name)
                    words = f"Cannot deserialize instance of {self.schema[name].type} from a-value-of-somebody at [line:1, column:{place}]"
                    return error(400, "JSON_PARSER_ERROR", words)
        self._wrong = {record.id: wrong for record in sent if (wrong := self._judged(record)) is not None}
        return super()._first(request, sent)

    def _applied(self, record: Sent) -> Outcome:
        """An opt-out outlives every write of its record."""
        if record.id in self._wrong and record.op is not Op.DELETE:
            return Rejected(record.id, self._wrong[record.id][0], "a-value-of-somebody is wrong")
        was_out = UNSUBSCRIBED in self.records.get(record.id, {})
        fields = {name: kept(self.schema[name], value) for name, value in record.fields.items()}
        outcome = super()._applied(replace(record, fields=fields))
        if was_out and record.id in self.records:
            self.records[record.id][UNSUBSCRIBED] = True
        return outcome

    def _judged(self, record: Sent) -> tuple[str, str] | None:
        if record.id in self.twice:
            return "DUPLICATE_EXTERNAL_ID", self.match
        for name, value in record.fields.items():
            if code := objection(self.schema[name], value):
                return code, name
        is_new = record.op in {Op.UPSERT, Op.INSERT} and record.id not in self.records
        missing = [n for n, c in self.schema.items() if c.is_required and is_new and not record.fields.get(n)]
        return ("REQUIRED_FIELD_MISSING", missing[0]) if missing else None

    def _by_id(self, one: Mapping[str, Value]) -> Sent:
        key, fields = self._key_of(one["id"]), _fields(one, "id")
        is_opt_out = fields == {"HasOptedOutOfEmail": True}
        return Sent(Op.UNSUBSCRIBE if is_opt_out else Op.UPDATE, key, {} if is_opt_out else fields)

    def _key_of(self, id: str) -> str:
        return next((key for key in self.records if self.id_of(key) == id), f"nobody-{id}")

    def _asked(self, part: Mapping[str, Value]) -> dict[str, Value]:
        """The rows of a query inside a composite call."""
        address = urlsplit(part["url"])
        assert (part["method"], address.path) == ("GET", f"{ROOT}/query"), "a part is a query"
        query = _QUERY.fullmatch(parse_qs(address.query)["q"][0])
        assert query is not None, "a query asks for ids by keys"
        assert len(query[4]) < 4_000, "a condition is too long"
        if query[3] not in self.schema:
            body = [
                {"errorCode": "INVALID_FIELD", "message": f"No such column '{query[3]}' on entity '{self.object}'."}
            ]
            return {"body": body, "httpStatusCode": 400, "referenceId": part["referenceId"]}
        asked = {
            re.sub(r"\\(.)", _unescaped, text, flags=re.DOTALL) or number for text, number in _LITERAL.findall(query[4])
        }
        rows = [self._row(key) for key in self.records if (self.id_of(key) if query[3] == "Id" else key) in asked]
        rows += [{**self._row(key), "Id": "003999999999999AAA"} for key in self.twice if key in asked]
        return {"body": {"done": True, "records": rows}, "httpStatusCode": 200, "referenceId": part["referenceId"]}

    def _row(self, key: str) -> dict[str, Value]:
        return {"attributes": {"type": self.object}, "Id": self.id_of(key), self.match: key}

    def _result(self, one: Outcome) -> dict[str, Value]:
        if isinstance(one, Delivered):
            return {"id": self.id_of(one.id), "success": True, "errors": []}
        fields = [self._wrong[one.id][1]] if one.id in self._wrong else []
        wrong = {"statusCode": WORDS.get(one.code, one.code), "message": one.message, "fields": fields}
        return {"success": False, "errors": [wrong]}


def error(status: int, code: str, message: str) -> httpx.Response:
    """A refusal as Salesforce writes it."""
    return httpx.Response(status, json=[{"errorCode": code, "message": message}])


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(found[1], found[1])


def _place(content: bytes, id: str, name: str) -> int:
    """Where the value of a field of a record begins."""
    for found in re.finditer(rb'"%s":' % name.encode(), content):
        record = content[content.rfind(b'{"attributes"', 0, found.start()) :]
        if json.dumps(id, ensure_ascii=False).encode() in record[: record.find(b"}", record.find(b"}") + 1)]:
            return found.end() + 1
    return len(content)


def _body(request: httpx.Request) -> dict[str, Any]:  # a body is whatever the adapter wrote
    body: dict[str, Any] = json.loads(request.content, parse_float=Decimal)
    return body


def _fields(one: Mapping[str, Value], finds: str) -> dict[str, Value]:
    return {name: value for name, value in one.items() if name not in {"attributes", finds}}


class TestSalesforce(Conformance):
    """Contacts, by an external id."""

    adapter: ClassVar[type[Destination]] = Salesforce
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({"login": CLIENT, "url": "https://acme.my.salesforce.com"})
    fake: ClassVar[type[Fake]] = SalesforceFake
    object: ClassVar[str] = "Contact"
    match: ClassVar[str] = "Ext_Key__c"
    keys: ClassVar[Sequence[str]] = tuple(key for key in KEYS if key == key.strip())
    fields: ClassVar[Mapping[Kind, str]] = MappingProxyType(
        dict(zip(Kind, ("Notes__c", "Seats__c", "Revenue__c", "Is_Vip__c", "Signup__c", "Seen_At__c"), strict=True))
    )
    samples: ClassVar[Mapping[Kind, Sequence[Value]]] = MappingProxyType(
        {**SAMPLES, Kind.DATE: ("1999-12-31", "2024-02-29")}
    )

    def stored(self, kind: Kind, value: Value) -> Value:
        """Salesforce takes blanks off both ends of a text, and an empty one for none."""
        return kept(SCHEMA[self.fields[kind]], value)
