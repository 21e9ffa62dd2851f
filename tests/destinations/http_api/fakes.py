"""The APIs of the documents, as far as their descriptions use them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import httpx

from destinations.base import Op, Outcome, Rejected, Value
from destinations.testing.fake import HttpFake, Sent
from destinations.testing.fake_jobs import JobsFake
from destinations.testing.http_api import AcmeFake

ITERABLE_KEY = "a-key-of-iterable"
ONESIGNAL_KEY = "a-key-of-onesignal"
APP = "8f1c0d4e-6a1b-4b1e-9f7e-2f6f6a4b9c11"


def body_of(request: httpx.Request) -> dict[str, Any]:  # a body is whatever the adapter wrote
    body: dict[str, Any] = json.loads(request.content, parse_float=Decimal)
    return body


class IterableFake(HttpFake):
    """Users of a project; an answer names those that it does not take, in lists by reason."""

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        if request.method == "DELETE":
            return [Sent(Op.DELETE, unquote(request.url.raw_path.decode().rpartition("/")[2]))]
        if request.url.path != "/api/users/bulkUpdate":
            return None
        users = body_of(request)["users"]
        assert all(user["preferUserId"] is True for user in users)
        return [Sent(Op.UPSERT, user["userId"], user["dataFields"]) for user in users]

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        if request.method == "DELETE":
            if any(isinstance(one, Rejected) for one in outcomes):
                return httpx.Response(400, json={"code": "BadParams", "msg": "cannot be deleted"})
            return httpx.Response(200, json={"code": "Success", "msg": ""})
        wrong = [one.id for one in outcomes if isinstance(one, Rejected)]
        updates = {"invalidUserIds": [], "conflictUserIds": wrong, "forgottenUserIds": []}
        return httpx.Response(
            200,
            json={"successCount": len(outcomes) - len(wrong), "failCount": len(wrong), "failedUpdates": updates},
        )

    def refused(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"code": "RequestFieldsTypesMismatched", "msg": "a field has another type"})

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        is_known = (request.method, request.url.path) == ("GET", "/api/channels")
        return httpx.Response(200, json={"channels": []}) if is_known else httpx.Response(404)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("api-key") != ITERABLE_KEY:
            return httpx.Response(401, json={"code": "BadApiKey", "msg": "no such key"})
        return super()._answer(request)


class OneSignalFake(HttpFake):
    """Users of an app, one a call; an empty tag is one that is taken away."""

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        path = request.url.raw_path.decode()
        if (request.method, path) == ("POST", f"/apps/{APP}/users"):
            body = body_of(request)
            tags: Mapping[str, Value] = body["properties"]["tags"]
            assert all(isinstance(tag, str) for tag in tags.values()), "a tag is a text"
            return [Sent(Op.UPSERT, body["identity"]["external_id"], {n: tag or None for n, tag in tags.items()})]
        if request.method == "DELETE":
            before, _, id = path.rpartition("/")
            assert before == f"/apps/{APP}/users/by/external_id"
            return [Sent(Op.DELETE, unquote(id))]
        return None

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        (one,) = outcomes
        if isinstance(one, Rejected):
            return httpx.Response(409, json={"errors": [{"code": "user-2", "title": one.message}]})
        return httpx.Response(202, json={"identity": {"external_id": one.id}})

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        is_known = (request.method, request.url.path) == ("GET", f"/apps/{APP}")
        return httpx.Response(200, json={"id": APP}) if is_known else httpx.Response(404)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Key {ONESIGNAL_KEY}":
            return httpx.Response(401, json={"errors": ["Access denied"]})
        return super()._answer(request)


class BulkFake(JobsFake, AcmeFake):
    """Acme, where it takes contacts as jobs."""

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        return AcmeFake.received(self, request)

    def submitted(self, request: httpx.Request, job: str) -> httpx.Response:
        return httpx.Response(202, json={"data": {"job": job}})

    def asked(self, request: httpx.Request) -> str | None:
        return request.url.path.removeprefix("/v2/jobs/") if request.method == "GET" else None

    def running(self, request: httpx.Request, job: str) -> httpx.Response:
        return httpx.Response(200, json={"state": "queued"})

    def failed(self, request: httpx.Request, job: str) -> httpx.Response:
        return httpx.Response(200, json={"state": "broken"})

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        results = AcmeFake.answered(self, request, outcomes).json()["results"]
        return httpx.Response(200, json={"state": "done", "results": results})
