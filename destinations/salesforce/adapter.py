"""Salesforce: records of any object by an external id, two hundred a call (sObject Collections), or ten thousand a job (Bulk API 2.0).

How records are written stands in `records`, the calls in `calls`, jobs in `bulk`, what answers and refusals mean in `answers`, what an
object holds in `describe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

import httpx
import orjson
from pydantic import NonNegativeInt, PositiveInt, StringConstraints

from destinations.addresses import NetworkConfig, PrivateAddress
from destinations.auth import Auth, Bearer, ClientCredentials, RefreshToken
from destinations.base import (
    Batch,
    CheckFailed,
    Delivered,
    Field,
    Idempotency,
    Jobs,
    Limits,
    Op,
    Outcome,
    Outcomes,
    Record,
    Refused,
    Rejected,
    Reply,
    Spec,
    Stop,
    Submitted,
    Transport,
    Value,
)
from destinations.http import HttpDestination, News, NoAnswer, Talk, refused
from destinations.jwt_bearer import JwtBearer
from destinations.salesforce import answers, bulk, describe, records
from destinations.salesforce.calls import Calls

JOB_LIMITS = Limits(records=10_000, bytes=8_000_000, concurrency=2)
"""What a job carries: as many records as Salesforce works on at a time, and so many bytes that files that repeat them can be read."""
STRANGER = "what answers at `url` is not Salesforce: put the address of the org's My Domain there"
FieldName = Annotated[str, StringConstraints(pattern=f"^{records.NAME.pattern}$")]


class SalesforceConfig(NetworkConfig):
    """``url`` is the org's My Domain: its tokens go there and nowhere else.

    ``unsubscribes`` is the checkbox that an unsubscribe sets. ``duplicates: save`` writes what a duplicate rule only warns of,
    ``assigns`` lets assignment rules run, and ``leaves_calls`` are calls of the day that others keep. From ``bulk_from`` records on the
    upserts of a plan go as jobs; never where it is null.
    """

    login: Bearer | ClientCredentials | JwtBearer | RefreshToken
    url: PrivateAddress
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,3}\.0$")] = "67.0"
    unsubscribes: FieldName = "HasOptedOutOfEmail"
    duplicates: Literal["refuse", "save"] = "refuse"
    assigns: bool = False
    leaves_calls: NonNegativeInt = 0
    bulk_from: PositiveInt | None = 2_000


class Salesforce(HttpDestination):
    """One org; a sync's ``object`` is an object's API name, its ``match`` an external id of it, or `Id`."""

    config: SalesforceConfig
    spec: ClassVar[Spec] = Spec(
        name="salesforce",
        title="Salesforce",
        config=SalesforceConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE}),
        limits=Limits(records=records.RECORDS_MAX, bytes=1_000_000),
        idempotency=Idempotency.NATURAL,
        jobs=Jobs(deadline_seconds=7_200, ask_seconds=5, ask_seconds_max=60),
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

    def limits_for(self, records: int) -> Limits:
        return JOB_LIMITS if self._is_large(records) else self.spec.limits

    def encode(self, batch: Batch) -> httpx.Request:
        return self._calls.written(batch, batch.records)

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return answers.told(batch.ids, orjson.loads(response.content))

    def talk(self, batch: Batch) -> Talk[Reply]:
        """An external id finds the record in an upsert only; everything else is about Salesforce's own ids."""
        if batch.op is Op.UPSERT and self._is_large(batch.plan_records):
            return (yield from self._submitted(batch))
        if batch.op is Op.UPSERT or (batch.op is Op.UPDATE and records.key_of(batch) == records.ID):
            return (yield from self._sent(batch, batch.records, ()))
        if batch.op is Op.INSERT and len(batch) > records.RECORDS_MAX:
            # What a first call made would be refused as there already, when a second one is refused and all come again.
            return Refused("too_many", "a call makes two hundred records")
        held = yield from self._found(batch)
        if not isinstance(held, records.Found):
            return held
        known = [_undecided(batch.op, one.id, held) for one in batch.records]
        settled = tuple(one for one in known if one is not None)
        open_ = [record for record, one in zip(batch.records, known, strict=True) if one is None]
        return (yield from self._sent(batch, open_, settled, held))

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        """Its state, and when it has ended the files that tell of its records."""
        if (said := bulk.state((yield self._calls.call("GET", f"/jobs/ingest/{job}")))) is not None:
            return said
        files = {}
        for name in bulk.FILES:
            files[name] = bulk.rows_of((yield self._calls.call("GET", f"/jobs/ingest/{job}/{name}")))
        return bulk.told(batch, files)

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
        for content in records.questions(batch.object, key, batch, self._calls.root):
            answer = yield self._calls.call("POST", "/composite", content)
            for part in orjson.loads(answer.content)["compositeResponse"]:
                inner = httpx.Response(part["httpStatusCode"], json=part["body"], request=answer.request)
                if (cut := refused(self, inner)) is not None:
                    return cut
                if part["body"]["done"] is not True:
                    raise ValueError("a query has more rows than keys were asked for")
                rows += part["body"]["records"]
        return records.found(key, batch, rows)

    def _sent(
        self, batch: Batch, chosen: Sequence[Record], settled: Sequence[Outcome], held: records.Found | None = None
    ) -> Talk[Reply]:
        """What becomes of the records of a batch that are ``chosen`` for calls, beside what is ``settled`` without."""
        outcomes = [*settled]
        for part in records.parts_of(chosen):
            call = self._calls.written(batch, part) if held is None else self._calls.by_id(batch, part, held)
            answer = yield call
            ids = [one.id for one in part]
            told = answers.told(ids, orjson.loads(answer.content), gone_is_done=batch.op is Op.DELETE)
            if isinstance(told, Stop):
                return replace(told, applied_unknown=len(chosen) > len(part))
            outcomes += told.outcomes
        return Outcomes(tuple(outcomes))

    def _submitted(self, batch: Batch) -> Talk[Reply]:
        """A job takes one file, and does not begin before it is told that the file is whole."""
        parts = bulk.sort_out(batch)
        if not parts.by_key:
            return Outcomes(parts.rejected)
        answer = yield self._calls.call("POST", "/jobs/ingest", orjson.dumps(bulk.description(batch)))
        job = orjson.loads(answer.content)["id"]
        if not bulk.JOB.fullmatch(job):
            raise ValueError("the id of a job is letters and digits")
        yield self._calls.call("PUT", f"/jobs/ingest/{job}/batches", parts.content, "text/csv")
        yield self._calls.call("PATCH", f"/jobs/ingest/{job}", orjson.dumps({"state": "UploadComplete"}))
        return Submitted(job)

    def _is_large(self, plan_records: int) -> bool:
        """Whether the upserts of a plan go as jobs."""
        return self.config.bulk_from is not None and plan_records >= self.config.bulk_from

    async def _described(self, object: str, transport: Transport) -> Mapping[str, Value]:
        if not records.NAME.fullmatch(object):
            raise CheckFailed("`object` is the API name of an object, such as `Contact` or `Invoice__c`")
        return await self._told(f"/sobjects/{object}/describe", transport)

    async def _told(self, path: str, transport: Transport) -> Mapping[str, Value]:
        return await self.answer_object(self._calls.call("GET", path), transport, STRANGER)

    @property
    def _calls(self) -> Calls:
        config = self.config
        return Calls(config.url, config.version, config.assigns, config.duplicates == "save", config.unsubscribes)


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
