"""Adapters that are each wrong in one way, and their suites; some check of the kit must fail for every one of them.

Not collected by itself: `test_teeth` runs it in a process of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, SecretStr

from destinations.base import (
    AllDelivered,
    Batch,
    CheckFailed,
    Delivered,
    Failed,
    Field,
    Limits,
    Op,
    Outcome,
    Outcomes,
    Rejected,
    Reply,
    Statuses,
    Unavailable,
)
from destinations.testing.example import Acme
from destinations.testing.example.test_acme import AcmeFake
from destinations.testing.example.test_acme import TestAcme as Honest
from destinations.testing.fake import Sent


class TestNothingWrong(Honest):
    """The example as it is; what fails for it is wrong with the kit."""


class SilenceIsSuccess(Acme):
    def decode(self, batch: Batch, response: httpx.Response) -> Outcomes:
        said = {o.id: o for o in super().decode(batch, response).outcomes}
        return Outcomes(tuple(said.get(id, Delivered(id)) for id in batch.ids))


class TestSilenceIsSuccess(Honest):
    adapter = SilenceIsSuccess


class ByPlace(Acme):
    def decode(self, batch: Batch, response: httpx.Response) -> Outcomes:
        outcomes = super().decode(batch, response).outcomes
        return Outcomes(tuple(replace(o, id=id) for id, o in zip(batch.ids, outcomes, strict=True)))


class TestByPlace(Honest):
    adapter = ByPlace


class Rewriting(Acme):
    """Sends what `rewritten` makes of the body."""

    def encode(self, batch: Batch) -> httpx.Request:
        request = super().encode(batch)
        headers = {name: request.headers[name] for name in ("authorization", "idempotency-key")}
        return httpx.Request("POST", request.url, content=self.rewritten(request.content), headers=headers)

    def rewritten(self, content: bytes) -> bytes:
        raise NotImplementedError


def each_contact(content: bytes, change: Any) -> bytes:
    body = json.loads(content)
    for contact in body["contacts"]:
        change(contact)
    return orjson.dumps(body)


class DropsNulls(Rewriting):
    def rewritten(self, content: bytes) -> bytes:
        def change(contact: dict[str, Any]) -> None:
            contact["fields"] = {name: value for name, value in contact["fields"].items() if value is not None}

        return each_contact(content, change)


class TestDropsNulls(Honest):
    adapter = DropsNulls


class FoldsKeys(Rewriting):
    def rewritten(self, content: bytes) -> bytes:
        return each_contact(content, lambda contact: contact.update(id=contact["id"].strip().lower()))


class TestFoldsKeys(Honest):
    adapter = FoldsKeys


class RoundsDecimals(Acme):
    def encode(self, batch: Batch) -> httpx.Request:
        request = super().encode(batch)
        contacts = [{"id": record.id, "fields": record.fields} for record in batch.records]
        content = orjson.dumps({"op": batch.op, "contacts": contacts}, default=lambda number: str(float(number)))
        headers = {name: request.headers[name] for name in ("authorization", "idempotency-key")}
        return httpx.Request("POST", request.url, content=content, headers=headers)


class TestRoundsDecimals(Honest):
    adapter = RoundsDecimals


class EscapesEverything(Rewriting):
    """Text becomes three times as long as the engine counted, so calls pass the limit."""

    def rewritten(self, content: bytes) -> bytes:
        return json.dumps(json.loads(content), ensure_ascii=True).encode()


class TestEscapesEverything(Honest):
    adapter = EscapesEverything


class SmallApi(AcmeFake):
    limits = Limits(records=50, bytes=512_000)


class TestPromisesTooMuch(Honest):
    """The spec allows twice as many records as the API takes."""

    fake = SmallApi


class ShowsItsSecret(Acme):
    def __repr__(self) -> str:
        return f"ShowsItsSecret({self.config.token.get_secret_value()})"


class TestShowsItsSecret(Honest):
    adapter = ShowsItsSecret


class SecretInTheAddress(Acme):
    def encode(self, batch: Batch) -> httpx.Request:
        request = super().encode(batch)
        address = request.url.copy_add_param("token", self.config.token.get_secret_value())
        return httpx.Request("POST", address, content=request.content, headers=request.headers)


class TestSecretInTheAddress(Honest):
    adapter = SecretInTheAddress


class TalkativeConfig(BaseModel):
    """Not made from the base of the interface, so an error says what was given."""

    model_config = ConfigDict(extra="forbid")
    url: str = "https://api.acme.example"
    token: SecretStr


class Talkative(Acme):
    config: TalkativeConfig
    spec = replace(Acme.spec, config=TalkativeConfig)


class TestTalkative(Honest):
    adapter = Talkative


class Logs(Acme):
    def encode(self, batch: Batch) -> httpx.Request:
        request = super().encode(batch)
        logging.getLogger("acme").debug("sending %s", request.headers["authorization"])
        return request


class TestLogs(Honest):
    adapter = Logs


class SwallowsExpiry(Acme):
    """A token that expired is taken for a record that is bad."""

    spec = replace(Acme.spec, statuses=Statuses(refused=frozenset({400, 401, 413, 422})))


class TestSwallowsExpiry(Honest):
    adapter = SwallowsExpiry


class RetriesExpiry(Acme):
    """A token that expired is taken for an outage, and asked again and again."""

    async def send(self, batch: Batch, transport: Any) -> Reply:
        for _ in range(10):
            reply = await super().send(batch, transport)
        return Unavailable("http_401", "try again", False) if getattr(reply, "code", "") == "http_401" else reply


class TestRetriesExpiry(Honest):
    adapter = RetriesExpiry


class NewKeyEachTime(Acme):
    _keys = count()

    def sign(self, request: httpx.Request, now: object) -> httpx.Request:
        request.headers["idempotency-key"] = f"key-{next(self._keys)}"
        return request


class TestNewKeyEachTime(Honest):
    adapter = NewKeyEachTime


class NoKey(Acme):
    def encode(self, batch: Batch) -> httpx.Request:
        request = super().encode(batch)
        del request.headers["idempotency-key"]
        return request


class TestNoKey(Honest):
    adapter = NoKey


class BlamesAll(Acme):
    """A batch that is refused for one record is a batch of bad records."""

    spec = replace(Acme.spec, statuses=Statuses(answers=frozenset({400})))

    def decode(self, batch: Batch, response: httpx.Response) -> Outcomes:
        if response.status_code == 400:
            return Outcomes(tuple(Rejected(id, "bad", "refused") for id in batch.ids))
        return super().decode(batch, response)


class TestBlamesAll(Honest):
    adapter = BlamesAll


class Waits(Acme):
    """A client of its own, without a limit of time."""

    async def send(self, batch: Batch, transport: Any) -> Reply:
        await transport.request(self.encode(batch))
        return AllDelivered()


class TestWaits(Honest):
    adapter = Waits


class NamesNoField(Acme):
    async def fields(self, object: str, transport: Any) -> Sequence[Field]:
        return ()


class TestNamesNoField(Honest):
    adapter = NamesNoField


class ChecksByWriting(Acme):
    async def check(self, transport: Any) -> str:
        contacts = [{"id": "probe@example.com", "fields": {}}]
        body = orjson.dumps({"op": Op.UPSERT, "contacts": contacts})
        headers = {"idempotency-key": "probe"}
        answer = await transport.request(httpx.Request("POST", self.config.url, content=body, headers=headers))
        if isinstance(answer, Unavailable) or answer.status_code != 200:
            raise CheckFailed("it does not take a record")
        return "it takes a record"


class TestChecksByWriting(Honest):
    adapter = ChecksByWriting


class StatusIsEnough(Acme):
    """Whatever comes with a 2xx is a success."""

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        try:
            return super().decode(batch, response)
        except (ValueError, KeyError, TypeError):
            return AllDelivered()


class TestStatusIsEnough(Honest):
    adapter = StatusIsEnough


class Impatient(Acme):
    """A throttled call is an outage without a wait."""

    spec = replace(
        Acme.spec,
        statuses=Statuses(throttled=frozenset(), unavailable=Statuses().unavailable, answers=frozenset({429})),
    )

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        if response.status_code == 429:
            return Unavailable("throttled", "later", applied_unknown=False)
        return super().decode(batch, response)


class TestImpatient(Honest):
    adapter = Impatient


class GivesUp(Acme):
    """A server that broke is taken for records that are bad."""

    spec = replace(Acme.spec, statuses=Statuses(answers=frozenset({500, 502})))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        if response.status_code >= 500:
            return Outcomes(tuple(Rejected(id, "server", "it broke") for id in batch.ids))
        return super().decode(batch, response)


class TestGivesUp(Honest):
    adapter = GivesUp


class RejectedIsFailed(Acme):
    """A refusal for good is tried for ever."""

    def decode(self, batch: Batch, response: httpx.Response) -> Outcomes:
        return Outcomes(tuple(self._milder(o) for o in super().decode(batch, response).outcomes))

    def _milder(self, outcome: Outcome) -> Outcome:
        return Failed(outcome.id, outcome.code, outcome.message) if isinstance(outcome, Rejected) else outcome


class TestRejectedIsFailed(Honest):
    adapter = RejectedIsFailed


class DeletesBecomeUpserts(Rewriting):
    def rewritten(self, content: bytes) -> bytes:
        return orjson.dumps({**json.loads(content), "op": Op.UPSERT})


class TestDeletesBecomeUpserts(Honest):
    adapter = DeletesBecomeUpserts


class SaysYesAndMeansNo(AcmeFake):
    def refused_inside(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"success": False, "results": []})


class BelievesTwoHundred(Acme):
    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return super().decode(batch, response) if response.json()["results"] else AllDelivered()


class TestBelievesTwoHundred(Honest):
    adapter = BelievesTwoHundred
    fake = SaysYesAndMeansNo


class AlwaysWell(Acme):
    async def check(self, transport: Any) -> str:
        await transport.request(httpx.Request("GET", self.config.url))
        return "all is well"


class WithStatus(AcmeFake):
    def received(self, request: httpx.Request) -> Sequence[Sent] | None:  # type: ignore[override]
        return None if request.method == "GET" else super().received(request)


class TestAlwaysWell(Honest):
    adapter = AlwaysWell
    fake = WithStatus


class UnsubscribesByDeleting(Rewriting):
    spec = replace(Acme.spec, operations=Acme.spec.operations | {Op.UNSUBSCRIBE})

    def rewritten(self, content: bytes) -> bytes:
        return content.replace(b'"op":"unsubscribe"', b'"op":"delete"')


class TestUnsubscribesByDeleting(Honest):
    adapter = UnsubscribesByDeleting
