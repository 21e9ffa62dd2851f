"""Braze as far as its adapter uses it: it keeps users, tells errors by index, and drops without a word what it does not take.

What its reference leaves open is a switch: whether answers tell how many users they were about, and whether those who
are not there count.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from destinations.base import Delivered, Destination, Limits, Op, Outcome, Rejected, Spec, Value
from destinations.braze.adapter import Braze
from destinations.testing.conformance import Conformance
from destinations.testing.fake import UNSUBSCRIBED, Fake, HttpFake, Sent
from destinations.testing.samples import Kind

KEY = "a-rest-api-key-of-the-suite"
LABEL = "crm"
GROUP = "group-of-newsletters"
PAGE_SIZE = 50
PERMISSIONS = frozenset({"users.track", "users.delete", "custom_attributes.get"})
_NEEDED = {
    "/users/track": "users.track",
    "/users/delete": "users.delete",
    "/custom_attributes": "custom_attributes.get",
}
_LISTS = {
    "external_ids": "external_id",
    "braze_ids": "braze_id",
    "user_aliases": "user_alias",
    "email_addresses": "email",
}
_STATES = frozenset({"opted_in", "subscribed", "unsubscribed"})
_SUBSCRIPTIONS = frozenset({"email_subscribe", "push_subscribe", "subscription_groups"})
_PROFILE = frozenset(
    {"external_id", "braze_id", "user_alias", "email", "first_name", "last_name", "country", *_SUBSCRIPTIONS}
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A custom attribute as the dashboard lists it; values of another type than a forced one are dropped."""

    type: str
    status: str = "Active"


class BrazeFake(HttpFake):
    """One workspace, whose users are found by ``match``."""

    limits: ClassVar[Limits | None] = Limits(records=50, bytes=4_000_000)
    answers_by_place: ClassVar[bool] = True
    match: ClassVar[str] = "external_id"
    groups: ClassVar[frozenset[str]] = frozenset({GROUP})

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.attributes = {name: Attribute("") for name in TestBraze.fields.values()}
        self.permissions = PERMISSIONS
        self.counts = True
        """Whether an answer tells how many users it was about."""
        self.counts_absent = True
        self.text_length_max: int | None = None
        """Beyond this length a text is cut without a word; None where the kit sends longer ones."""
        self.blocked: set[str] = set()
        """Ids of dummy users."""

    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        super().put(id, {self.match: id, **fields})

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        match request.url.path:
            case "/users/track" if _body(request)["attributes"]:
                return [self._written(one) for one in _body(request)["attributes"]]
            case "/users/delete":
                ((name, users),) = _body(request).items()
                return [Sent(Op.DELETE, _key_of({_LISTS[name]: user})) for user in users]
            case _:
                return None

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path:
            case "POST", "/users/track":
                return _fatal("Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.")
            case "GET", "/custom_attributes":
                return self._listed(request)
            case _:
                return httpx.Response(404, json={"message": "Invalid URL"})

    def refused(self, request: httpx.Request) -> httpx.Response:
        del request
        return _fatal("a-value-of-somebody cannot be read")

    def refused_inside(self, request: httpx.Request) -> httpx.Response | None:
        del request
        return httpx.Response(
            201, json={"message": "a-value-of-somebody cannot be read", "errors": ["nothing was done"]}
        )

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        if request.url.path == "/users/delete":
            return httpx.Response(200, json={"deleted": len(outcomes), "message": "success"})
        wrong = [
            (place, one) for place, one in enumerate(outcomes) if isinstance(one, Rejected) and one.code != "not_found"
        ]
        errors = [{"type": one.message, "input_array": "attributes", "index": place} for place, one in wrong]
        done = sum(isinstance(one, Delivered) or (one.code == "not_found" and self.counts_absent) for one in outcomes)
        if not done and errors:
            return _fatal("Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.", errors)
        count = {"attributes_processed": done} if self.counts else {}
        return httpx.Response(201, json={"message": "success", **count, **({"errors": errors} if errors else {})})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return httpx.Response(401, json={"message": "Invalid API Key"})
        if (needed := _NEEDED.get(request.url.path)) and needed not in self.permissions:
            return httpx.Response(403, json={"message": "the key may not do this"})
        return super()._answer(request)

    def _complaint(self, request: httpx.Request, sent: Sequence[Sent]) -> str:
        body = _body(request)
        if request.headers.get("content-type") != "application/json":
            return "a body is not said to be JSON"
        if request.url.path == "/users/delete":
            return super()._complaint(request, sent)
        users = body["attributes"]
        if any(sum(name in one for name in ("external_id", "user_alias", "braze_id")) > 1 for one in users):
            return "a user is named twice"
        if any(type(one.get("_update_existing_only")) is not bool for one in users):
            return "a write does not say whether it makes users"
        return super()._complaint(request, sent)

    def _applied(self, record: Sent) -> Outcome:
        """A user who is not there is not made by an update, and an opt-out outlives other writes."""
        if wrong := self._objection(record):
            return Rejected(record.id, "invalid", wrong)
        before = self.records.get(record.id)
        if record.op in {Op.UPDATE, Op.UNSUBSCRIBE} and before is None:
            return Rejected(record.id, "not_found", "")
        kept = {name: self._kept(value) for name, value in record.fields.items() if self._is_kept(name, value)}
        outcome = super()._applied(Sent(record.op, record.id, kept))
        if record.id in self.records and isinstance(outcome, Delivered):
            held = self.records[record.id]
            self.records[record.id] = {self.match: record.id, **held, **kept}
            is_out = record.op is Op.UNSUBSCRIBE or UNSUBSCRIBED in (before or {})
            self.records[record.id] |= {UNSUBSCRIBED: True} if is_out else {}
        return outcome

    def _objection(self, record: Sent) -> str:
        if not record.id:
            return "'external_id' or 'braze_id' or 'user_alias' is required"
        if record.id in self.blocked:
            return "provided external_id is blacklisted and disallowed"
        if any(record.fields.get(name, "subscribed") not in _STATES for name in ("email_subscribe", "push_subscribe")):
            return "'email_subscribe' is not valid"
        if any(one["subscription_group_id"] not in self.groups for one in record.fields.get("subscription_groups", ())):
            return "subscription_group_id is not valid"
        if "@" not in str(record.fields.get("email") or "@"):
            return f"'email' is not valid: {record.fields['email']}"
        return ""

    def _is_kept(self, name: str, value: Value) -> bool:
        """A forced type drops values of another one, and a blocked attribute drops all; the answer says nothing of it."""
        attribute = self.attributes.setdefault(name, Attribute("")) if name not in _PROFILE else Attribute("")
        kind = "Boolean" if isinstance(value, bool) else "String" if isinstance(value, str) else "Number"
        return attribute.status == "Active" and (value is None or attribute.type in {"", kind})

    def _kept(self, value: Value) -> Value:
        return value[: self.text_length_max] if isinstance(value, str) else value

    def _written(self, one: Mapping[str, Value]) -> Sent:
        names = {"external_id", "user_alias", "braze_id"} if self.match != "email" else {"email"}
        fields = {name: value for name, value in one.items() if name not in names and name != "_update_existing_only"}
        only_subscriptions = bool(fields) and set(fields) <= _SUBSCRIPTIONS
        op = Op.UPDATE if one["_update_existing_only"] else Op.UPSERT
        return Sent(Op.UNSUBSCRIBE if op is Op.UPDATE and only_subscriptions else op, _key_of(one), fields)

    def _listed(self, request: httpx.Request) -> httpx.Response:
        """Fifty attributes a page; where the next one begins stands in the header ``Link``."""
        start = int(base64.b64decode(request.url.params.get("cursor", "")) or b"0")
        names = sorted(self.attributes)
        page = [_described(name, self.attributes[name]) for name in names[start : start + PAGE_SIZE]]
        following = base64.b64encode(str(start + PAGE_SIZE).encode()).decode()
        link = f'<https://rest.iad-03.braze.com/custom_attributes/?cursor={following}>; rel="next"'
        headers = {"link": link} if start + PAGE_SIZE < len(names) else {}
        return httpx.Response(200, json={"message": "success", "attributes": page}, headers=headers)


def _body(request: httpx.Request) -> dict[str, Any]:  # a body is whatever the adapter wrote
    body: dict[str, Any] = json.loads(request.content, parse_float=Decimal)
    return body


def _key_of(one: Mapping[str, Value]) -> str:
    """What finds a user, as text."""
    if "user_alias" in one:
        alias = one["user_alias"]
        assert alias["alias_label"] == LABEL, "an alias has another label"
        return str(alias["alias_name"])
    found = next(one[name] for name in ("external_id", "braze_id", "email") if name in one)
    if isinstance(found, dict):
        assert found["prioritization"] == ["identified", "most_recently_updated"], "nothing says whose profile goes"
        found = found["email"]
    assert isinstance(found, str), "an identifier is no text"
    return found


def _fatal(message: str, errors: Sequence[Value] = ()) -> httpx.Response:
    return httpx.Response(400, json={"message": message, **({"errors": list(errors)} if errors else {})})


def _described(name: str, held: Attribute) -> dict[str, Value]:
    kind = held.type or "String (Automatically Detected)"
    return {"array_length": None, "data_type": kind, "description": None, "name": name, "status": held.status}


class TestBraze(Conformance):
    """Users, by their external id."""

    adapter: ClassVar[type[Destination]] = Braze
    config: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"login": {"token": KEY}, "url": "https://rest.fra-01.braze.eu", "text_length_max": 100_000_000}
    )
    fake: ClassVar[type[Fake]] = BrazeFake
    object: ClassVar[str] = "users"
    match: ClassVar[str] = "external_id"
    fields: ClassVar[Mapping[Kind, str]] = MappingProxyType(
        dict(zip(Kind, ("nickname", "seats", "revenue", "is_vip", "signup", "seen_at"), strict=True))
    )
