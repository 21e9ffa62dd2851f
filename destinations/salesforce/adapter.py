"""Salesforce: records of any object by an external id, two hundred a call (sObject Collections).

How records are written stands in `records`, what answers and refusals mean in `answers`, what an object holds in `describe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

import httpx
import orjson
from pydantic import NonNegativeInt, StringConstraints

from destinations.addresses import PrivateAddress
from destinations.auth import Auth, Bearer, ClientCredentials, RefreshToken
from destinations.base import (
    Batch,
    CheckFailed,
    Delivered,
    DestinationConfig,
    Field,
    Idempotency,
    Limits,
    Op,
    Outcome,
    Outcomes,
    Rejected,
    Reply,
    Spec,
    Transport,
    Value,
)
from destinations.http import HttpDestination, NoAnswer, Talk, refused
from destinations.jwt_bearer import JwtBearer
from destinations.salesforce import answers, describe, records

STRANGER = "what answers at `url` is not Salesforce: put the address of the org's My Domain there"
FieldName = Annotated[str, StringConstraints(pattern=f"^{records.NAME.pattern}$")]


class SalesforceConfig(DestinationConfig):
    """``url`` is the org's My Domain: its tokens go there and nowhere else.

    ``unsubscribes`` is the checkbox that an unsubscribe sets. ``duplicates: save`` writes what a duplicate rule only warns of,
    ``assigns`` lets assignment rules run, and ``leaves_calls`` are calls of the day that others keep.
    """

    login: Bearer | ClientCredentials | JwtBearer | RefreshToken
    url: PrivateAddress
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,3}\.0$")] = "67.0"
    unsubscribes: FieldName = "HasOptedOutOfEmail"
    duplicates: Literal["refuse", "save"] = "refuse"
    assigns: bool = False
    leaves_calls: NonNegativeInt = 0


class Salesforce(HttpDestination):
    """One org; a sync's ``object`` is an object's API name, its ``match`` an external id of it, or `Id`."""

    config: SalesforceConfig
    spec: ClassVar[Spec] = Spec(
        name="salesforce",
        title="Salesforce",
        config=SalesforceConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE}),
        limits=Limits(records=200, bytes=1_000_000),
        idempotency=Idempotency.NATURAL,
        resubscribes=False,
        erasure="the record lies in the Recycle Bin for 15 days, and somebody may bring it back until then",
        undo=(
            "what triggers, flows and e-mail alerts did with a write; a deleted record comes back from the Recycle Bin only, "
            "and only for 15 days; an unsubscribe"
        ),
        docs="https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm",
    )

    def auth(self) -> Auth:
        return self.config.login

    def encode(self, batch: Batch) -> httpx.Request:
        key = records.key_of(batch)
        path = f"/{batch.object}/{key}" if batch.op is Op.UPSERT else ""
        name = "id" if key == records.ID else key
        written = [records.written(batch.object, one, {name: one.key[key]}) for one in batch.records]
        return self._call("PATCH", f"/composite/sobjects{path}", records.body_of(written))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return answers.told(batch.ids, orjson.loads(response.content))

    def talk(self, batch: Batch) -> Talk[Reply]:
        """An external id finds the record in an upsert only; everything else is about Salesforce's own ids."""
        if batch.op is Op.UPSERT or (batch.op is Op.UPDATE and records.key_of(batch) == records.ID):
            return (yield from super().talk(batch))
        held = yield from self._found(batch)
        if not isinstance(held, records.Found):
            return held
        known = [_undecided(batch.op, one.id, held) for one in batch.records]
        outcomes = tuple(one for one in known if one is not None)
        settled = {one.id for one in outcomes}
        sent = [one.id for one in batch.records if one.id not in settled]
        if not sent:
            return Outcomes(outcomes)
        answer = yield self._by_id(batch, sent, held)
        told = answers.told(sent, orjson.loads(answer.content), gone_is_done=batch.op is Op.DELETE)
        return Outcomes((*told.outcomes, *outcomes)) if isinstance(told, Outcomes) else told

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        return answers.explained(response, meant)

    def exhausted_for(self, response: httpx.Response) -> timedelta | None:
        """By the calls of the day, which every answer counts."""
        if answers.used_up(response, self.config.leaves_calls):
            return answers.DAILY_PAUSE
        return super().exhausted_for(response)

    async def check(self, transport: Transport) -> str:
        """Ask for the limits of the org, which every user of its API may see."""
        said = await self._told("/limits", transport)
        calls = said.get("DailyApiRequests")
        if not isinstance(calls, dict) or not all(type(calls.get(name)) is int for name in ("Max", "Remaining")):
            raise CheckFailed(STRANGER)
        return f"the org answers; {calls['Remaining']:,} of its {calls['Max']:,} calls in 24 hours are left"

    async def fields(self, object: str, transport: Transport) -> Sequence[Field]:
        """The fields, and the external ids by which records that it refers to are named."""
        said = await self._described(object, transport)
        references = describe.references(said)
        others = {one: await self._described(one, transport) for one in describe.related_objects(references)}
        return [*describe.fields(said), *describe.related_fields(references, others)]

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        problems = []
        if not records.NAME.fullmatch(object):
            problems.append("`object` is the API name of an object, such as `Contact` or `Invoice__c`")
        if len(match) != 1 or not records.NAME.fullmatch(match[0]):
            problems.append("`match` is one field of the object: an external id, or `Id`")
        if records.ID in match and mode != "update":
            problems.append("Salesforce gives `Id` itself: only mode update can match by it")
        for name in fields:
            if name == records.ID:
                problems.append("`Id` is read-only in Salesforce: take it out of `fields`")
            elif not records.NAME.fullmatch(name) and records.related(name) is None:
                form = "`Account.Ext_Key__c` or `Owner:User.Email`"
                problems.append(
                    f"`{name}` is neither the API name of a field nor one of a related record, such as {form}"
                )
        return problems

    def _found(self, batch: Batch) -> Talk[records.Found | NoAnswer]:
        """Salesforce's ids of the records, or why they are not known."""
        key, rows = records.key_of(batch), list[Mapping[str, Value]]()
        for content in records.questions(batch.object, key, batch, self._root):
            answer = yield self._call("POST", "/composite", content)
            for part in orjson.loads(answer.content)["compositeResponse"]:
                inner = httpx.Response(part["httpStatusCode"], json=part["body"], request=answer.request)
                if (cut := refused(self, inner)) is not None:
                    return cut
                if part["body"]["done"] is not True:
                    raise ValueError("a query has more rows than keys were asked for")
                rows += part["body"]["records"]
        return records.found(key, batch, rows)

    def _by_id(self, batch: Batch, sent: Sequence[str], held: records.Found) -> httpx.Request:
        """The call for the records of ``sent``, all of which are there, or none of which is where they are made."""
        if batch.op is Op.DELETE:
            ids = ",".join(held.ids[id] for id in sent)
            return self._call("DELETE", f"/composite/sobjects?ids={ids}&allOrNone=false")
        chosen = [one for one in batch.records if one.id in set(sent)]
        if batch.op is Op.INSERT:
            written = [records.written(batch.object, one, one.key) for one in chosen]
            return self._call("POST", "/composite/sobjects", records.body_of(written))
        also = {self.config.unsubscribes: True} if batch.op is Op.UNSUBSCRIBE else {}
        written = [records.written(batch.object, one, {"id": held.ids[one.id], **also}) for one in chosen]
        return self._call("PATCH", "/composite/sobjects", records.body_of(written))

    async def _described(self, object: str, transport: Transport) -> Mapping[str, Value]:
        if not records.NAME.fullmatch(object):
            raise CheckFailed("`object` is the API name of an object, such as `Contact` or `Invoice__c`")
        return await self._told(f"/sobjects/{object}/describe", transport)

    async def _told(self, path: str, transport: Transport) -> Mapping[str, Value]:
        answer = await self.answer(self._call("GET", path), transport)
        if not isinstance(answer, dict):
            raise CheckFailed(STRANGER)
        return answer

    @property
    def _root(self) -> str:
        return f"/services/data/v{self.config.version}"

    def _call(self, method: str, path: str, content: bytes = b"") -> httpx.Request:
        headers = {"content-type": "application/json"} if content else {}
        if method in {"PATCH", "POST"}:
            headers["sforce-auto-assign"] = "TRUE" if self.config.assigns else "FALSE"
            headers |= {"sforce-duplicate-rule-header": "allowSave=true"} if self.config.duplicates == "save" else {}
        url = self.config.url.rstrip("/") + self._root + path
        return httpx.Request(method, url, content=content, headers=headers)


def _undecided(op: Op, id: str, held: records.Found) -> Outcome | None:
    """What became of a record for which no call is made; None for one for which one is."""
    if id in held.several:
        return Rejected(id, *answers.complaint({"statusCode": "DUPLICATE_EXTERNAL_ID"}, None))
    is_there = id in held.ids
    match op:
        case Op.INSERT if is_there:
            return Rejected(id, "exists", "Salesforce has this record already: mode upsert would change it")
        case Op.UPDATE if not is_there:
            return Rejected(id, "not_found", "Salesforce has no such record: mode upsert would create it")
        case Op.DELETE | Op.UNSUBSCRIBE if not is_there:
            return Delivered(id)
        case _:
            return None
