"""Braze: the users of a workspace, fifty a call.

How users are written stands in `users`, what answers mean in `answers`, which attributes there are in `attributes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, Self

import httpx
from pydantic import PositiveInt, StringConstraints, model_validator

from destinations.addresses import NetworkConfig, PrivateAddress
from destinations.auth import Auth, Bearer
from destinations.base import (
    Batch,
    CheckFailed,
    Field,
    Idempotency,
    Limits,
    Op,
    Outcomes,
    Rate,
    Reply,
    Spec,
    Statuses,
    Transport,
    Value,
)
from destinations.braze import answers, users
from destinations.braze.attributes import cursor, custom, problem, profile
from destinations.http import HttpDestination, NoAnswer, Talk, json_object

OBJECT = "users"
PAGES_MAX = 400
"""Pages of fifty attributes that are read at most."""
STRANGER = "what answers at `url` is not Braze: put the REST endpoint of the instance there"
_NOBODY = b'{"attributes":[]}'
_STATUSES = Statuses()
Label = Annotated[str, StringConstraints(min_length=1, max_length=255)]
GroupId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class BrazeConfig(NetworkConfig):
    """``login`` is a REST API key, which works at the REST endpoint ``url`` of its own instance only.

    ``channels`` and ``groups`` are what an unsubscribe ends; ``alias_label`` is the label of aliases, where users are
    found by them. Attributes whose texts are longer than ``text_length_max`` are refused before they are sent.
    """

    login: Bearer
    url: PrivateAddress
    alias_label: Label | None = None
    channels: tuple[Literal["email", "push"], ...] = ("email", "push")
    groups: tuple[GroupId, ...] = ()
    sends: Literal["changed", "all"] = "changed"
    text_length_max: PositiveInt = 255

    @model_validator(mode="after")
    def _ends_something(self) -> Self:
        if not self.channels and not self.groups:
            raise ValueError("`channels` or `groups` must name what an unsubscribe ends")
        return self


class Braze(HttpDestination):
    """One workspace; a sync's ``match`` is what finds a user: `external_id`, `alias_name`, `email` or `braze_id`."""

    config: BrazeConfig
    spec: ClassVar[Spec] = Spec(
        name="braze",
        title="Braze",
        config=BrazeConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.DELETE, Op.UNSUBSCRIBE}),
        # Fifty is what every contract allows, for writes and for deletions; the rate is below that of both.
        limits=Limits(records=50, bytes=2_000_000, rate=Rate(requests=250, per_seconds=1)),
        idempotency=Idempotency.NATURAL,
        match_keys=users.IDENTIFIERS,
        # A 400 may say which users are wrong.
        statuses=Statuses(refused=_STATUSES.refused - {400}, answers=frozenset({400})),
        resubscribes=False,
        erasure="the profile is deleted for good; what was exported of it before is in others' hands",
        undo=(
            "messages, Canvases and events that a write set off, and its data points; a deleted user, with everything that "
            "Braze knew of them; an attribute that was made by its first value; an unsubscribe"
        ),
        docs="https://www.braze.com/docs/api/endpoints/user_data/post_user_track/",
    )

    def auth(self) -> Auth:
        return self.config.login

    def encode(self, batch: Batch) -> httpx.Request:
        return self._call(batch, users.sort_out(batch, self._rules))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return _told(batch, users.sort_out(batch, self._rules), response)

    def talk(self, batch: Batch) -> Talk[Reply]:
        """No call where no record may be sent."""
        parts = users.sort_out(batch, self._rules)
        return _told(batch, parts, (yield self._call(batch, parts))) if parts.sent else Outcomes(parts.rejected)

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        return answers.explained(response.request.url.path, meant)

    async def check(self, transport: Transport) -> str:
        """Write nobody: a key that may write is told that there is nothing to write."""
        said = await self.told(self._nobody(), transport, STRANGER)
        if not isinstance(said.get("message"), str):
            raise CheckFailed(STRANGER)
        return "the key may write users; whether it may delete them, the first deletion shows"

    async def fields(self, object: str, transport: Transport) -> Sequence[Field]:
        """The fields of every user, and the attributes of the workspace."""
        del object
        return [*profile(), *await self.told(self._attributes(), transport, STRANGER)]

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        named = list(fields)
        problems = [] if object == OBJECT else [f"`object` is `{OBJECT}`: Braze takes nothing else here"]
        if users.BRAZE_ID in match and mode != "update":
            problems.append(f"Braze gives `{users.BRAZE_ID}` itself: only mode update can match by it")
        if users.ALIAS in match and self.config.alias_label is None:
            problems.append(f"`{users.ALIAS}` needs a label: write `alias_label` into the destination's config")
        problems += [f"`{name}` finds the user already: take it out of `fields`" for name in match if name in named]
        return [*problems, *(found for name in named if name not in match and (found := problem(name)))]

    @property
    def _rules(self) -> users.Rules:
        config = self.config
        groups = [{"subscription_group_id": id, "subscription_state": "unsubscribed"} for id in config.groups]
        ended = {f"{channel}_subscribe": "unsubscribed" for channel in config.channels}
        unsubscribed = {**ended, **({"subscription_groups": groups} if groups else {})}
        return users.Rules(config.alias_label or "", config.sends, config.text_length_max, unsubscribed)

    def _call(self, batch: Batch, parts: users.Sorted) -> httpx.Request:
        if batch.op is Op.DELETE:
            return self._post("/users/delete", users.deleted(parts.sent, self._rules))
        return self._post("/users/track", users.tracked(batch.op, parts.sent, self._rules))

    def _nobody(self) -> Talk[dict[str, Value]]:
        return json_object((yield self._post("/users/track", _NOBODY)))

    def _attributes(self) -> Talk[Sequence[Field]]:
        found, place = list[Field](), ""
        for _ in range(PAGES_MAX):
            query = {"cursor": place} if place else None
            answer = yield httpx.Request("GET", self._address("/custom_attributes"), params=query)
            said = json_object(answer)
            found += [custom(one) for one in said["attributes"]]
            place = cursor(answer)
            if not place:
                return found
        raise ValueError("there are more attributes than are read")

    def _post(self, path: str, content: bytes) -> httpx.Request:
        headers = {"content-type": "application/json"}
        return httpx.Request("POST", self._address(path), content=content, headers=headers)

    def _address(self, path: str) -> str:
        return self.config.url.rstrip("/") + path


def _told(batch: Batch, parts: users.Sorted, response: httpx.Response) -> Reply:
    said, is_fatal = json_object(response), response.status_code == 400
    if batch.op is Op.DELETE:
        return answers.deleted(len(batch), said, is_fatal=is_fatal)
    sent = answers.Sent([one.id for one in parts.sent], parts.names, batch.op is Op.UPSERT)
    told = answers.tracked(sent, said, is_fatal=is_fatal)
    return Outcomes((*told.outcomes, *parts.rejected)) if isinstance(told, Outcomes) else told
