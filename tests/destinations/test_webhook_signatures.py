"""Signatures are those of Standard Webhooks, verified by an implementation of its own, and the secret shows nowhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
import respx
from pydantic import ValidationError

from destinations.base import CheckFailed, Op
from destinations.signing import secret_bytes, signed
from destinations.webhook import Webhook, WebhookConfig
from tests.destinations.batches import batch
from tests.destinations.calls import NOW, asked, send

URL = "https://receiver.example/batch"
OLD = "whsec_" + base64.b64encode(b"old-key-of-24-bytes-or-more").decode()
NEW = "whsec_" + base64.b64encode(bytes(range(64))).decode()
PLAIN = "a plain secret of many bytes, é"
TOKEN = "Bearer token-4711-of-the-operator"
ONE = batch(Op.UPSERT, {1: {"name": "Zoë"}}, idempotency_key="0a1b2c")


def key_of(secret: str) -> bytes:
    """As the specification has it: what stands behind the prefix is Base64."""
    return base64.b64decode(secret.split("_", 1)[1]) if secret.startswith("whsec_") else secret.encode()


def verified(secret: str, request: httpx.Request) -> bool:
    """Whether a receiver that holds ``secret`` accepts a request, whatever else signed it."""
    id, time = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    content = id.encode() + b"." + time.encode() + b"." + request.content
    wanted = hmac.new(key_of(secret), content, hashlib.sha256).digest()
    for signature in request.headers["webhook-signature"].split(" "):
        version, encoded = signature.split(",", 1)
        if version == "v1" and hmac.compare_digest(base64.b64decode(encoded), wanted):
            return True
    return False


def received(secret: object, answer: httpx.Response | Exception | None = None) -> httpx.Request:
    """The request that leaves when a batch is sent."""
    router = respx.MockRouter()
    route = router.post(URL).mock(side_effect=[answer or httpx.Response(200)])
    config = {"url": URL, "headers": {"Authorization": TOKEN}, **({} if secret is None else {"secret": secret})}
    send(Webhook(WebhookConfig.model_validate(config)), ONE, httpx.MockTransport(router.async_handler))
    request: httpx.Request = route.calls.last.request
    return request


def test_the_example_of_the_specification_comes_out() -> None:
    request = httpx.Request("POST", URL, content=b'{"test": 2432232314}')
    key = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed(request, id="msg_p5jXN8AQM9LWM0D4loKWxJek", now=datetime.fromtimestamp(1614265330, UTC), keys=[key])

    assert request.headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [OLD, NEW, PLAIN])
def test_a_receiver_with_the_secret_accepts_the_request_and_any_other_does_not(secret: str) -> None:
    request = received(secret)

    assert verified(secret, request)
    assert not any(verified(other, request) for other in {OLD, NEW, PLAIN} - {secret})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "content"])
def test_a_change_of_id_time_or_body_voids_the_signature(name: str) -> None:
    request = received(NEW)
    changed = httpx.Request("POST", URL, content=request.content + b" " * (name == "content"), headers=request.headers)
    if name != "content":
        changed.headers[name] += "0"

    assert verified(NEW, request)
    assert not verified(NEW, changed)


def test_during_a_rotation_a_receiver_with_either_secret_accepts() -> None:
    request = received([OLD, NEW])

    assert verified(OLD, request)
    assert verified(NEW, request)
    assert not verified(PLAIN, request)
    assert len(request.headers["webhook-signature"].split(" ")) == 2


def test_the_id_is_the_idempotency_key_and_the_time_whole_seconds_of_the_attempt() -> None:
    request = received(NEW)

    assert request.headers["webhook-id"] == request.headers["idempotency-key"] == "0a1b2c"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))


def test_a_later_attempt_has_its_own_time_and_the_same_id_and_body() -> None:
    hook = Webhook(WebhookConfig.model_validate({"url": URL, "secret": NEW}))

    first, later = (hook.sign(hook.encode(ONE), NOW + timedelta(hours=hours)) for hours in (0, 1))

    assert verified(NEW, first)
    assert verified(NEW, later)
    assert (first.headers["webhook-id"], first.content) == (later.headers["webhook-id"], later.content)
    assert first.headers["webhook-signature"] != later.headers["webhook-signature"]


def test_signing_again_replaces_the_signature() -> None:
    hook = Webhook(WebhookConfig.model_validate({"url": URL, "secret": [OLD, NEW]}))

    request = hook.sign(hook.sign(hook.encode(ONE), NOW), NOW + timedelta(minutes=5))

    assert len(request.headers.get_list("webhook-signature")) == 1
    assert verified(NEW, request)


def test_without_a_secret_nothing_claims_to_be_signed() -> None:
    assert not [name for name in received(None).headers if name.startswith("webhook-")]


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short-4711",
        "whsec_",
        "whsec_c2hvcnQtNDcxMQ==",
        "whsec_not base64 at all, 4711, not at all",
        "whsec_" + "é" * 40,
        [NEW, "short-4711"],
    ],
)
def test_a_secret_that_is_too_short_or_not_base64_is_refused_without_being_shown(secret: object) -> None:
    with pytest.raises(ValidationError, match="at least 24 bytes") as refused:
        WebhookConfig.model_validate({"url": URL, "secret": secret})

    shown = str(refused.value) + repr(refused.value) + "".join(error["msg"] for error in refused.value.errors())
    assert "4711" not in shown
    assert "NDcx" not in shown
    assert NEW not in shown


@pytest.mark.parametrize(
    "answer", [httpx.Response(200), httpx.Response(401), httpx.ReadTimeout("late"), ValueError("odd")]
)
def test_neither_secret_nor_token_is_in_a_text_a_reply_or_a_log(
    answer: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """G15, in each spelling in which a secret travels."""
    caplog.set_level(logging.DEBUG)
    router = respx.MockRouter()
    router.route().mock(side_effect=answer if isinstance(answer, Exception) else lambda _: answer)
    wire = httpx.MockTransport(router.async_handler)
    config = WebhookConfig.model_validate({"url": URL, "secret": [NEW, PLAIN], "headers": {"Authorization": TOKEN}})
    hook = Webhook(config)
    request = hook.sign(hook.encode(ONE), NOW)
    said = [repr(hook), repr(config), str(config), config.model_dump_json(), repr(request), repr(request.headers)]

    for call in (lambda: send(hook, ONE, wire), lambda: asked(hook.check, wire)):
        try:
            said.append(repr(call()))
        except (CheckFailed, ValueError) as error:
            said.append(f"{error!r} {error} {error.__cause__!r}")

    everything = "\n".join([*said, caplog.text])
    assert "receiver.example" in everything, "it would be found if it were there"
    assert [
        spelling for secret in (NEW, PLAIN, TOKEN) for spelling in spellings(secret) if spelling in everything
    ] == []


def spellings(secret: str) -> list[str]:
    key = key_of(secret)
    return [
        secret,
        quote(secret),
        secret.removeprefix("whsec_"),
        key.hex(),
        repr(key),
        base64.b64encode(secret.encode()).decode(),
    ]
