"""Any API of JSON over HTTP, as its destination's file describes it.

What may be written stands in `config`, the holes of calls in `holes`, what answers mean in `answers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote

import httpx

from destinations.auth import Auth
from destinations.base import (
    AllDelivered,
    Batch,
    CheckFailed,
    Delivered,
    Idempotency,
    Jobs,
    Limits,
    Op,
    Outcome,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Running,
    Spec,
    Statuses,
    Submitted,
    Transport,
    Unavailable,
)
from destinations.http import HttpDestination, News, NoAnswer, Talk, meaning, readable
from destinations.http_api.answers import at, believed, content_of, is_one_of, outcomes, verdict
from destinations.http_api.config import ApiKey, Call, HttpApiConfig, JobCalls, KeyHeader
from destinations.http_api.holes import Given, filled, key_names
from destinations.http_api.reading import Answers
from destinations.json_body import json_body, key_text
from destinations.waiting import QUOTA_FIELDS, exhausted_for

_STATUSES = Statuses()


class HttpApi(HttpDestination):
    """One API; its `Spec` is what its description says, so each destination has its own."""

    config: HttpApiConfig
    spec: ClassVar[Spec] = Spec(
        name="http",
        title="HTTP API",
        config=HttpApiConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE}),
        limits=Limits(records=100_000, bytes=100_000_000),
        idempotency=Idempotency.NONE,
        jobs=Jobs(),
        resubscribes=False,
        erasure="the API is sent the delete that is described, and answers for what it does with it",
        undo="what the API did with a record beyond storing it",
        docs="https://www.rfc-editor.org/rfc/rfc9110",
    )

    def __init__(self, config: HttpApiConfig) -> None:
        super().__init__(config)
        # The class says what can be described, and this destination what is: the engine asks the destination.
        self.__dict__["spec"] = spec_of(config)
        self._headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        if isinstance(config.login, ApiKey):
            self._headers[config.login.header] = config.login.value.get_secret_value()

    def auth(self) -> Auth | None:
        return None if isinstance(self.config.login, ApiKey) else self.config.login

    def encode(self, batch: Batch) -> httpx.Request:
        return self._request(self.config.operations.calls[batch.op], self._given(batch), self._key(batch))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        if (said := self._whole(response, self.config.operations.calls[batch.op])) is not None:
            return said
        if self.config.jobs is not None:
            job = at(content_of(response), self.config.jobs.id)
            return Submitted(key_text(job) if isinstance(job, str | int) else "")
        return self._outcomes(batch, response)

    def talk(self, batch: Batch) -> Talk[Reply]:
        """One call, or one for each record: then each answer speaks of its record alone."""
        call = self.config.operations.calls[batch.op]
        if call.is_for_many:
            return self.decode(batch, (yield self.encode(batch)))
        told: list[Outcome] = []
        for number, record in enumerate(batch.records):
            given = replace(self._given(batch), records=(record,))
            answer = yield self._request(call, given, self._key(batch, number))
            said = self._whole(answer, call)
            if isinstance(said, Refused):
                told.append(Rejected(record.id, said.code, said.message))
            elif said is not None:
                return replace(said, applied_unknown=said.applied_unknown or bool(told))
            else:
                if answer.is_success:
                    believed(answer)
                told.append(Delivered(record.id))
        return Outcomes(tuple(told))

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        calls = self.config.jobs
        assert calls is not None, "jobs are asked about where they are described"
        answer = yield self._request(calls.ask, Given((), batch.object, job=job))
        return self._news(calls, batch, answer)

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        # Whether a record is at fault only an answer may say: what came before it in the same batch was applied.
        said = verdict(response, self.config.errors)
        return meant if said is None or isinstance(said, Refused) else said

    def exhausted_for(self, response: httpx.Response) -> timedelta | None:
        own = self.config.quota
        pairs = QUOTA_FIELDS if own is None else ((own.remaining, own.reset), *QUOTA_FIELDS)
        return exhausted_for(response, pairs)

    async def check(self, transport: Transport) -> str:
        """The call that is described for it; without one an OPTIONS, which proves that something listens."""
        if self.config.check is not None:
            await self.told(self._checked(self.config.check), transport, "the answer is no JSON; is `url` right?")
            return "it answers, and takes the credential"
        request = httpx.Request("OPTIONS", self.config.url, headers=self._headers)
        answer = await self.authorized(transport).request(request)
        if isinstance(answer, Unavailable):
            raise CheckFailed(answer.message)
        if answer.status_code in {401, 403}:
            raise CheckFailed(f"the credential is refused ({answer.status_code})")
        return f"something answers ({answer.status_code}); describe a `check` to know more"

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        del object, mode, fields
        calls = self.config.operations.calls.values()
        named = dict.fromkeys(name for call in calls for name in key_names([call.path, call.body]))
        return [
            f"the description sends `$key: {name}`, and `match` has no `{name}`" for name in named if name not in match
        ]

    def _checked(self, call: Call) -> Talk[None]:
        answer = yield self._request(call, Given((), ""))
        said = self._whole(answer, call)
        if said is not None:
            raise CheckFailed("it refuses the call" if not isinstance(said, Refused) else said.message)
        believed(answer)

    def _given(self, batch: Batch) -> Given:
        return Given(batch.records, batch.object, "" if self.config.clears_with == "empty" else None)

    def _key(self, batch: Batch, number: int | None = None) -> Mapping[str, str]:
        """The header that tells a call from all others; a call for one record of several has a key of its own."""
        if not isinstance(self.config.idempotency, KeyHeader):
            return {}
        return {self.config.idempotency.header: batch.idempotency_key + ("" if number is None else f"-{number}")}

    def _request(self, call: Call, given: Given, more: Mapping[str, str] | None = None) -> httpx.Request:
        record = given.records[0] if given.records else None
        path = call.path
        if not isinstance(path, str):
            path = "".join(f"/{quote(key_text(segment), safe='')}" for segment in filled(path, given, record))
        headers = {**self._headers, **(more or {})}
        content = b""
        if call.body is not None:
            headers["content-type"] = "application/json"
            content = json_body(filled(call.body, given, record))
        return httpx.Request(call.method, self.config.url.rstrip("/") + path, content=content, headers=headers)

    def _whole(self, response: httpx.Response, call: Call) -> NoAnswer | None:
        """What an answer says of its call as a whole; None where it is one that records can be read from."""
        if (said := verdict(response, self.config.errors)) is not None:
            return said
        if response.status_code in call.delivered:
            return None
        return meaning(_statuses(self.config), response, self.exhausted_for)

    def _outcomes(self, batch: Batch, response: httpx.Response) -> AllDelivered | Outcomes:
        if isinstance(self.config.answers, Answers):
            return outcomes(batch.ids, content_of(response), self.config.answers)
        believed(response)
        return AllDelivered()

    def _news(self, calls: JobCalls, batch: Batch, answer: httpx.Response) -> News:
        word = at(content_of(answer), calls.state)
        if is_one_of(word, calls.running):
            return Running()
        if is_one_of(word, calls.failed):
            return Unavailable("job_failed", f"the job ended as {readable(str(word))}", applied_unknown=False)
        if is_one_of(word, calls.ended):
            return self._outcomes(batch, answer)
        raise ValueError("the answer says nothing of the job that is described")


def spec_of(config: HttpApiConfig) -> Spec:
    """What a description says of its API."""
    statuses, natural = _statuses(config), Idempotency.NATURAL if config.idempotency == "natural" else Idempotency.NONE
    # What is rejected or delivered is an answer, for it depends on the call what it says of which records.
    answers = statuses.refused.union(*(call.delivered for call in config.operations.calls.values()))
    return replace(
        HttpApi.spec,
        title=config.title,
        operations=frozenset(config.operations.calls),
        limits=Limits(records=config.limits.records, bytes=config.limits.bytes),
        idempotency=Idempotency.KEYED if isinstance(config.idempotency, KeyHeader) else natural,
        match_keys=config.match,
        statuses=replace(statuses, unavailable=statuses.unavailable - answers, refused=frozenset(), answers=answers),
        jobs=None if config.jobs is None else Jobs(deadline_seconds=config.jobs.deadline_seconds),
        resubscribes=config.resubscribes,
        docs=config.docs,
    )


def _statuses(config: HttpApiConfig) -> Statuses:
    """What statuses mean, whatever call they answer."""
    written = config.statuses
    unavailable = _STATUSES.unavailable if written.unavailable is None else written.unavailable
    return Statuses(written.throttled, _STATUSES.expired, unavailable - written.rejected, written.rejected)
