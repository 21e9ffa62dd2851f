"""HTTP destinations: a status gives the kind of reply, and only answers reach the adapter's `decode`."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeAlias, TypeVar

import httpx
import orjson

from destinations.auth import Auth
from destinations.authorized import Authorized
from destinations.base import (
    AllDelivered,
    Batch,
    CheckFailed,
    Denied,
    Destination,
    Ended,
    Outcome,
    Outcomes,
    Progress,
    Refused,
    Reply,
    Running,
    Statuses,
    Stop,
    Submitted,
    Throttled,
    Transport,
    Unavailable,
    Value,
)
from destinations.tokens import Tokens
from destinations.waiting import exhausted_for, retry_after

MESSAGE_LENGTH_MAX = 200
NOT_APPLIED = frozenset({409, 421, 423, 425, 503})
"""Unavailable statuses by which a server says that it did not act; after any other the effect is unknown."""


_T = TypeVar("_T")
Talk: TypeAlias = Generator[httpx.Request, httpx.Response, _T]
"""Several calls in a row, free of I/O: yields a request, is given its answer, returns what they mean together.

It is given answers only (2xx and `Statuses.answers`); after any other the talk is over, and what that means is decided
by `Spec.statuses`. A status that is named as *refused* says of every call of the talk that nothing of the batch was applied;
where one does not, it is named among the answers.
"""
NoAnswer: TypeAlias = Refused | Throttled | Unavailable | Stop
"""What a status means that is no answer."""
News: TypeAlias = Running | AllDelivered | Outcomes | Refused | Unavailable | Stop
"""What a job's state means: it runs, or it has ended and this became of its batch."""


class HttpDestination(Destination):
    """A destination that takes a batch as one request, or as a talk of several."""

    @abstractmethod
    def encode(self, batch: Batch) -> httpx.Request:
        """The request for one batch; pure."""

    @abstractmethod
    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        """What an answer says; pure. Whatever it raises counts as an answer that nobody can read."""

    def sign(self, request: httpx.Request, now: datetime) -> httpx.Request:
        """The request with what must be made anew for each attempt."""
        del now
        return request

    def auth(self) -> Auth | None:
        """What authorises each call, unless `encode` or `sign` does; asked once."""
        return None

    def authorized(self, transport: Transport) -> Transport:
        """The transport on which calls carry what `auth` says; also for `check` and `fields`, where it may raise `Denied`, whose words hold no secret."""
        return transport if self._tokens is None else Authorized(transport, self._tokens, self.spec.statuses.expired)

    @cached_property
    def _tokens(self) -> Tokens | None:
        auth = self.auth()
        return None if auth is None else Tokens(auth, retry_after)

    def exhausted_for(self, response: httpx.Response) -> timedelta | None:
        """What the standard and the customary fields say; an adapter whose API has fields of its own overrides it."""
        return exhausted_for(response)

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        """What an answer that never reaches `decode` means, where its body says more than its status, which says ``meant``."""
        del response
        return meant

    async def answer(self, request: httpx.Request, transport: Transport) -> Value:
        """The JSON with which a question is answered that is about no batch; raises `CheckFailed` with what is wrong."""
        return await self.told(_json(request), transport, "the answer is no JSON; is the address right?")

    async def answer_object(self, request: httpx.Request, transport: Transport, stranger: str) -> Mapping[str, Value]:
        """The object with which such a question is answered; raises `CheckFailed`, with ``stranger`` for any other JSON."""
        said = await self.answer(request, transport)
        if not isinstance(said, dict):
            raise CheckFailed(stranger)
        return said

    async def told(self, question: Talk[_T], transport: Transport, unread: str) -> _T:
        """What a talk that asks returns; raises `CheckFailed` with what is wrong, or ``unread`` where nobody can read the answer."""
        said = await held(self, question, transport)
        if not isinstance(said, CutShort):
            return said
        match said.reply:
            case Throttled():
                raise CheckFailed("it asks for fewer calls")
            case Unavailable("bad_answer"):
                raise CheckFailed(unread)
            case reply:
                raise CheckFailed(reply.message)

    def talk(self, batch: Batch) -> Talk[Reply]:
        """The calls that send a batch; those who need more than one override it."""
        return self.decode(batch, (yield self.encode(batch)))

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        """The calls that tell what became of a job; who answers `Submitted` overrides it."""
        raise NotImplementedError

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        """Send once; the reply is decided by `Spec.statuses`, then by `talk`."""
        said = await held(self, self.talk(batch), transport)
        return said.reply if isinstance(said, CutShort) else _fitting(batch, said)

    async def poll(self, job: str, batch: Batch, transport: Transport) -> Progress:
        """Ask once. That a question is refused says nothing of the batch, which the destination took before."""
        said = await held(self, self.ask(job, batch), transport)
        if isinstance(said, CutShort):
            return _about_the_question(job, said.reply)
        return said if isinstance(said, Running) else Ended(said)


@dataclass(frozen=True, slots=True)
class CutShort:
    """A talk that ended with an answer which is none for it, or without one."""

    reply: NoAnswer


def json_object(answer: httpx.Response) -> dict[str, Value]:
    """The object that an answer is; raises for an answer that is anything else."""
    said = orjson.loads(answer.content)
    if not isinstance(said, dict):
        raise TypeError("an answer is an object")
    return said


def _json(request: httpx.Request) -> Talk[Value]:
    return json.loads((yield request).content)


async def held(destination: HttpDestination, talk: Talk[_T], transport: Transport) -> _T | CutShort:
    """Make the calls of a talk; returns what it returns, or what cut it short.

    Once a call of a talk was answered, nobody knows what of it took effect when a later one is not, unless that is refused.
    Raises what the talk raises before it was given an answer; later that is an answer that nobody can read.
    """
    is_answered, transport = False, destination.authorized(transport)
    try:
        request = next(talk)
        while True:
            response = await transport.request(request, destination.sign)
            cut = response if isinstance(response, Unavailable) else refused(destination, response)
            if isinstance(cut, Throttled | Unavailable | Stop):
                return CutShort(replace(cut, applied_unknown=cut.applied_unknown or is_answered))
            if cut is not None:
                return CutShort(cut)
            assert isinstance(response, httpx.Response), "it was an answer"
            is_answered = True
            request = talk.send(response)
    except StopIteration as end:
        value: _T = end.value
        return value
    except Denied as denied:
        return CutShort(replace(denied.stop, applied_unknown=is_answered))
    except Exception as error:
        if not is_answered:
            raise
        why = f"the answer cannot be read ({type(error).__name__})"
        return CutShort(Unavailable("bad_answer", why, applied_unknown=True))
    finally:
        talk.close()


def _about_the_question(job: str, reply: NoAnswer) -> Throttled | Unavailable | Stop:
    if isinstance(reply, Refused):
        return Stop(reply.code, f"the destination refuses to say what became of job {job}")
    return reply


def refused(destination: HttpDestination, response: httpx.Response) -> NoAnswer | None:
    """What an answer says that is none for `decode`: its status, unless the adapter can read more; None for an answer."""
    meant = meaning(destination.spec.statuses, response, destination.exhausted_for)
    if meant is None:
        return None
    try:
        return destination.explained(response, meant)
    except Exception:  # noqa: BLE001  # a body of any shape may come with an error, and its status is enough
        return meant


def meaning(
    statuses: Statuses, response: httpx.Response, exhausted: Callable[[httpx.Response], timedelta | None]
) -> NoAnswer | None:
    """What the status of an answer means; None for one that is to be read."""
    code = response.status_code
    if code in statuses.answers or 200 <= code < 300:
        return None
    name = f"http_{code}"
    if code in statuses.throttled:
        return Throttled(retry_after(response) or exhausted(response))
    if code in statuses.unavailable:
        return Unavailable(name, f"the destination answered {code}", code not in NOT_APPLIED, retry_after(response))
    if code in statuses.refused:
        return Refused(name, readable(_text(response)) or f"the destination answered {code}")
    return Stop(name, _refusal(code))


def _text(response: httpx.Response) -> str:
    """The start of a body as UTF-8; the charset that a server claims may name a codec that fails or inflates."""
    return response.content[: MESSAGE_LENGTH_MAX * 16].decode("utf-8", "replace")


def _fitting(batch: Batch, reply: Reply) -> Reply:
    """The reply, unless it cannot be one to this batch."""
    if isinstance(reply, Outcomes) and (why := contradiction(batch, reply.outcomes)):
        return Unavailable("protocol", why, applied_unknown=True)
    if isinstance(reply, Submitted) and not reply.is_usable:
        return Unavailable("protocol", "the answer names no job that could be asked about", applied_unknown=True)
    return reply


def contradiction(batch: Batch, outcomes: Iterable[Outcome]) -> str:
    """Why outcomes cannot be those of this batch; empty when they can."""
    ids, seen = set(batch.ids), set[str]()
    for outcome in outcomes:
        if outcome.id not in ids:
            return "the answer names a record that was not sent"
        if outcome.id in seen:
            return "the answer names a record twice"
        seen.add(outcome.id)
    return ""


def _refusal(code: int) -> str:
    if 300 <= code < 400:
        return f"the destination redirects ({code}); give its final address, for redirects are not followed"
    words = {401: "the credential is refused", 403: "the credential may not do this", 404: "the address does not exist"}
    words |= {405: "the address does not take this method", 410: "the address is gone for good"}
    return f"{words.get(code, 'the destination refuses the call')} ({code})"


def readable(text: str) -> str:
    """A destination's words as one short line without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: MESSAGE_LENGTH_MAX * 4]).split())
    return line if len(line) <= MESSAGE_LENGTH_MAX else line[: MESSAGE_LENGTH_MAX - 1] + "…"
