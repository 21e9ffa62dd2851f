"""Customer.io Journeys: the people of a workspace, by the batches of the Track API.

How people are written stands in `people`, what answers mean in `answers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import httpx

from destinations.addresses import NetworkConfig, PrivateAddress
from destinations.auth import Auth, Basic
from destinations.base import (
    Batch,
    CheckFailed,
    Idempotency,
    Limits,
    Op,
    Outcomes,
    Rate,
    Reply,
    Spec,
    Statuses,
    Transport,
)
from destinations.customerio import answers, people
from destinations.http import HttpDestination, NoAnswer, Talk, json_object

OBJECT = "people"
URLS = {"us": "https://track.customer.io", "eu": "https://track-eu.customer.io"}
STRANGER = "what answers at `url` is not the Track API: leave `url` out, or put its address there"
_STATUSES = Statuses()


class CustomerIoConfig(NetworkConfig):
    """``login`` is the site id and the API key of the workspace's Track API, ``region`` where its data is kept.

    ``url`` is for a proxy in front of the API. ``deletes: suppress`` blocks the identifier of whoever is deleted as well.
    A null is sent as ``clears_with``, and what ``moments`` names as Unix seconds.
    """

    login: Basic
    region: Literal["us", "eu"]
    url: PrivateAddress | None = None
    deletes: Literal["delete", "suppress"] = "delete"
    clears_with: Literal["empty", "null"] = "empty"
    moments: frozenset[str] = frozenset()


class CustomerIo(HttpDestination):
    """One workspace; a sync's ``match`` is what finds a person: `id`, `email`, `phone` or `cio_id`."""

    config: CustomerIoConfig
    spec: ClassVar[Spec] = Spec(
        name="customerio",
        title="Customer.io",
        config=CustomerIoConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.DELETE, Op.UNSUBSCRIBE}),
        # A call may have 500 KB, of which the frame around five hundred people takes less than a fifth.
        limits=Limits(records=500, bytes=400_000, rate=Rate(requests=100, per_seconds=1)),
        idempotency=Idempotency.NATURAL,
        match_keys=people.IDENTIFIERS,
        # A 400 may say which field is wrong.
        statuses=Statuses(refused=_STATUSES.refused - {400}, answers=frozenset({400})),
        resubscribes=False,
        erasure=(
            "the person is deleted, and a later event may make them anew; with `deletes: suppress` the identifier is blocked "
            "as well"
        ),
        undo=(
            "messages, campaigns and webhooks that a write set off; a deleted person, with everything that Customer.io knew of "
            "them; an identifier that was blocked with `deletes: suppress`; an unsubscribe"
        ),
        docs="https://docs.customer.io/integrations/api/track/",
    )

    def auth(self) -> Auth:
        return self.config.login

    def encode(self, batch: Batch) -> httpx.Request:
        return self._call(people.sort_out(batch, self._rules))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return _told(people.sort_out(batch, self._rules), response)

    def talk(self, batch: Batch) -> Talk[Reply]:
        """No call where no record may be sent."""
        parts = people.sort_out(batch, self._rules)
        return _told(parts, (yield self._call(parts))) if parts.sent else Outcomes(parts.rejected)

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        del response
        return answers.explained(meant)

    async def check(self, transport: Transport) -> str:
        """Ask where the workspace is, which either region answers."""
        said = await self.told(self._whereabouts(), transport, STRANGER)
        if said != self.config.region:
            raise CheckFailed(f"the workspace is in the region {said}: write `region: {said}`")
        return f"the credential works, and the workspace is in the region {said}"

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        wrong = [] if object == OBJECT else [f"`object` is `{OBJECT}`: Tidegate writes nothing else here"]
        return [*wrong, *people.problems(mode, match, list(fields), self._rules)]

    @property
    def _rules(self) -> people.Rules:
        return people.Rules(self.config.deletes, self.config.clears_with, self.config.moments)

    def _call(self, parts: people.Sorted) -> httpx.Request:
        headers = {"content-type": "application/json"}
        return httpx.Request("POST", self._address("/api/v2/batch"), content=parts.body, headers=headers)

    def _whereabouts(self) -> Talk[str]:
        """The region of the workspace, by the address that the answer names."""
        answer = yield httpx.Request("GET", self._address("/api/v1/accounts/region"))
        said = json_object(answer)
        return {url: region for region, url in URLS.items()}[said["url"].rstrip("/")]

    def _address(self, path: str) -> str:
        return (self.config.url or URLS[self.config.region]).rstrip("/") + path


def _told(parts: people.Sorted, response: httpx.Response) -> Reply:
    told = answers.told(list(parts.sent), parts.names, json_object(response), response.status_code)
    return Outcomes((*told.outcomes, *parts.rejected)) if isinstance(told, Outcomes) else told
