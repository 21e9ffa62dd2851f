"""HubSpot CRM: contacts, companies, deals and custom objects, a hundred records a call.

How records are written stands in `records`, what answers and refusals mean in `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote

import httpx
import orjson
from pydantic import PositiveInt, StringConstraints

from destinations.addresses import NetworkConfig, PrivateAddress
from destinations.auth import Auth, Bearer, RefreshToken
from destinations.base import (
    Batch,
    CheckFailed,
    Delivered,
    Field,
    Idempotency,
    Limits,
    Op,
    Outcomes,
    Rate,
    Refused,
    Reply,
    Spec,
    Statuses,
    Stop,
    Transport,
    Value,
)
from destinations.http import HttpDestination, NoAnswer, Talk
from destinations.hubspot.answers import (
    DAILY_PAUSE,
    WINDOW,
    Found,
    complaint,
    explained,
    found,
    reply,
    write_scopes,
)
from destinations.hubspot.records import ADDITIONAL, EMAIL, RECORD_ID, TAKES, key_of, names_of, text_of, written

STRANGER = "what answers at `url` is not HubSpot"
CONTACTS = frozenset({"contacts", "0-1"})
_OBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_NOT_UNIQUE = {"companies": {"domain", "name"}, "deals": {"dealname"}, "contacts": {"phone", "firstname", "lastname"}}
_CUSTOM = re.compile(r"2-[0-9]+|p[0-9]*_\w+")
_STATUSES = Statuses()
UrlPath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._-]+)+$")]


class HubSpotConfig(NetworkConfig):
    """``login`` is a private app's token, or OAuth; ``deletes`` says whether a contact that is deleted is gone for good.

    The paths let an account use a dated version of the API. ``subscription`` is the subscription type that an
    unsubscribe ends; all of them where it is silent.
    """

    login: Bearer | RefreshToken
    url: PrivateAddress = "https://api.hubapi.com"
    deletes: Literal["archive", "gdpr"] = "archive"
    subscription: PositiveInt | None = None
    objects_path: UrlPath = "/crm/v3/objects"
    properties_path: UrlPath = "/crm/v3/properties"
    schemas_path: UrlPath = "/crm/v3/schemas"
    preferences_path: UrlPath = "/communication-preferences/v4"


class HubSpot(HttpDestination):
    """One account; a sync's ``object`` is an object type, its ``match`` a property that has unique values."""

    config: HubSpotConfig
    spec: ClassVar[Spec] = Spec(
        name="hubspot",
        title="HubSpot",
        config=HubSpotConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE}),
        limits=Limits(records=100, bytes=500_000, rate=Rate(requests=100, per_seconds=10)),
        idempotency=Idempotency.NATURAL,
        statuses=Statuses(
            # A conflict is about what a record says, not about another call that is in progress.
            unavailable=(_STATUSES.unavailable - {409}) | {477, 525, 526},
            refused=_STATUSES.refused | {409, 414},
        ),
        resubscribes=False,
        erasure="the record is archived for 90 days; a contact is gone for good with `deletes: gdpr`",
        undo=(
            "workflows, e-mails and audit entries that a write set off; a contact that was deleted with `deletes: gdpr`; "
            "an archived record comes back as a new one; an unsubscribe"
        ),
        docs="https://developers.hubspot.com/docs/api-reference/crm-objects-v3/guide",
    )

    def auth(self) -> Auth:
        return self.config.login

    def encode(self, batch: Batch) -> httpx.Request:
        verb = "create" if batch.op is Op.INSERT else batch.op.value
        inputs = [written(batch.op, place, record) for place, record in enumerate(batch.records)]
        return self._post(f"{self._objects(batch.object)}/batch/{verb}", {"inputs": inputs})

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return reply(names_of(batch), orjson.loads(response.content))

    def talk(self, batch: Batch) -> Talk[Reply]:
        match batch.op:
            case Op.DELETE:
                return (yield from self._deleted(batch))
            case Op.UNSUBSCRIBE if batch.object not in CONTACTS:
                return Stop("not_supported", "HubSpot unsubscribes contacts only; use `on_withdrawal: delete`")
            case Op.UNSUBSCRIBE:
                return (yield from self._unsubscribed(batch))
            case _:
                return (yield from super().talk(batch))

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        return explained(orjson.loads(response.content), meant)

    def exhausted_for(self, response: httpx.Response) -> timedelta | None:
        """The pair of the day, which is absent for OAuth, then that of the burst window."""
        said = response.headers
        if said.get("x-hubspot-ratelimit-daily-remaining") == "0":
            return DAILY_PAUSE
        if said.get("x-hubspot-ratelimit-remaining") == "0":
            interval = said.get("x-hubspot-ratelimit-interval-milliseconds", "")
            return timedelta(milliseconds=int(interval)) if re.fullmatch("[0-9]{1,6}", interval) else WINDOW
        return super().exhausted_for(response)

    async def check(self, transport: Transport) -> str:
        """Ask for the account, and where the token is a private app's, for its scopes."""
        account = await self._told("/account-info/v3", "details", transport)
        if not isinstance(account.get("portalId"), int):
            raise CheckFailed(STRANGER)
        name = f"the account {account['portalId']} answers"
        if not isinstance(self.config.login, Bearer):
            return f"{name}; the scopes of an OAuth app, the first batch shows"
        token = self.config.login.token.get_secret_value()
        about = self._post("/oauth/v2/private-apps/get/access-token-info", {"tokenKey": token})
        scopes = write_scopes(await self.answer(about, transport))
        if not scopes:
            raise CheckFailed(
                "the token may write nothing: give its app `crm.objects.contacts.write`, or what is synced"
            )
        return f"{name}; its token has {', '.join(scopes)}"

    async def fields(self, object: str, transport: Transport) -> Sequence[Field]:
        """The properties; only custom objects have some that must be there."""
        name = quote(object, safe="")
        said = await self._told(self.config.properties_path, name, transport)
        custom = await self._told(self.config.schemas_path, name, transport) if _CUSTOM.fullmatch(object) else {}
        required = frozenset(custom.get("requiredProperties", ()))
        return [_field(one, required) for one in said.get("results", ()) if not one.get("archived")]

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        problems = []
        if not _OBJECT.fullmatch(object):
            problems.append("`object` is `contacts`, `companies`, `deals`, or a custom object's id such as `2-1234567`")
        if RECORD_ID in match and mode != "update":
            problems.append(f"HubSpot gives `{RECORD_ID}` itself: only mode update can match by it")
        problems += [
            f"`{name}` is not unique in HubSpot: match by a property that was made with unique values"
            for name in match
            if name in _NOT_UNIQUE.get(object, ())
        ]
        if RECORD_ID in fields:
            problems.append(f"`{RECORD_ID}` is read-only in HubSpot: take it out of `fields`")
        return problems

    def _found(self, batch: Batch, *properties: str) -> Talk[Found]:
        """What HubSpot holds of the records; its search is late by seconds, so they are read by key."""
        key = key_of(batch)
        inputs = [{"id": text_of(record.key[key])} for record in batch.records]
        more = (*properties, ADDITIONAL) if key == EMAIL else properties
        asked: dict[str, Value] = {"properties": sorted({key, *more}), "inputs": inputs}
        by = {} if key == RECORD_ID else {"idProperty": key}
        answer = yield self._post(f"{self._objects(batch.object)}/batch/read", {**by, **asked})
        return found(names_of(batch), orjson.loads(answer.content))

    def _deleted(self, batch: Batch) -> Talk[Reply]:
        """Archiving takes HubSpot's own ids; deleting for good takes one contact a call."""
        held = yield from self._found(batch)
        ids = sorted({record["id"] for record in held.records.values()})
        objects = self._objects(batch.object)
        if self.config.deletes == "gdpr" and batch.object in CONTACTS:
            calls = [self._post(f"{objects}/gdpr-delete", {"objectId": id}) for id in ids]
        else:
            calls = [self._post(f"{objects}/batch/archive", {"inputs": [{"id": id} for id in ids]})] if ids else []
        for call in calls:
            answer = yield call
            if answer.status_code != 204:
                raise ValueError("a deletion is answered with 204")
        return Outcomes(tuple(Delivered(id) for id in (*held.records, *held.absent)))

    def _unsubscribed(self, batch: Batch) -> Talk[Reply]:
        """Subscriptions belong to addresses; who has none in HubSpot gets no e-mail, and who is not there neither."""
        held = yield from self._found(batch, EMAIL)
        done = Outcomes(tuple(Delivered(id) for id in (*held.records, *held.absent)))
        emails = sorted({email for one in held.records.values() if (email := one["properties"].get(EMAIL))})
        if not emails:
            return done
        statuses = f"{self.config.preferences_path}/statuses/batch"
        if self.config.subscription is None:
            call = self._post(f"{statuses}/unsubscribe-all?channel=EMAIL", {"inputs": emails})
        else:
            ended = {"subscriptionId": self.config.subscription, "statusState": "UNSUBSCRIBED", "channel": "EMAIL"}
            inputs = [{"subscriberIdString": email, **ended} for email in emails]
            call = self._post(f"{statuses}/write", {"inputs": inputs})
        answer = yield call
        said = orjson.loads(answer.content)
        if said["status"] != "COMPLETE":
            raise ValueError("an unsubscribe has ended when it is answered")
        # Who was unsubscribed beside an error loses nothing by it again, when the batch comes in halves.
        return Refused(*complaint(said["errors"][0])) if said.get("errors") else done

    def _objects(self, object: str) -> str:
        return f"{self.config.objects_path}/{quote(object, safe='')}"

    async def _told(self, path: str, name: str, transport: Transport) -> Mapping[str, Value]:
        request = httpx.Request("GET", f"{self.config.url.rstrip('/')}{path}/{name}")
        return await self.answer_object(request, transport, STRANGER)

    def _post(self, path: str, body: Value) -> httpx.Request:
        headers = {"content-type": "application/json"}
        return httpx.Request("POST", self.config.url.rstrip("/") + path, content=orjson.dumps(body), headers=headers)


def _field(said: Mapping[str, Value], required: frozenset[str]) -> Field:
    name, is_fixed = said["name"], said.get("calculated") or said.get("modificationMetadata", {}).get("readOnlyValue")
    # These two find records without being said to be unique.
    is_unique = bool(said.get("hasUniqueValue")) or name in (EMAIL, RECORD_ID)
    return Field(name, said["type"], name in required, bool(is_fixed), is_unique, TAKES.get(said["type"], frozenset()))
