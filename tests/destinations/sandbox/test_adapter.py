"""The sandbox's adapter against a running sandbox: each answer becomes the reply that it stands for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from destinations.base import (
    AllDelivered,
    CheckFailed,
    Delivered,
    Op,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
    Unavailable,
)
from destinations.sandbox.adapter import Sandbox, SandboxConfig
from tests.destinations.batches import batch
from tests.destinations.calls import asked, send
from tests.destinations.sandbox.visitor import Visitor
from tests.receiver import receiving

TWO: dict[Any, dict[str, Any]] = {1: {"name": "Zoë"}, 2: {"name": None}}


def sent(sandbox: Visitor, op: Op = Op.UPSERT, records: dict[Any, dict[str, Any]] = TWO, key: str = "k1") -> Reply:
    adapter = Sandbox(SandboxConfig(url=str(sandbox.http.base_url)))
    return send(adapter, batch(op, records, idempotency_key=key))


def test_what_is_sent_is_held(sandbox: Visitor) -> None:
    values = {"big": 2**63 - 1, "price": Decimal("1.10"), "gone": None, "text": "naïve 😀 \x00"}

    assert sent(sandbox, records={'a"b': values, "c": {}}) == AllDelivered()

    assert sandbox.held() == {'a"b': {**values, "price": 1.1}, "c": {}}


@pytest.mark.parametrize("op", sorted(Sandbox.spec.operations))
def test_every_operation_of_the_spec_is_understood(sandbox: Visitor, op: Op) -> None:
    sent(sandbox, key="k0")

    reply = sent(sandbox, op, key="k2")

    assert reply == AllDelivered() or isinstance(reply, Outcomes)
    assert [outcome for key, _, outcome in sandbox.journal if key == "k2"] == (
        ["rejected"] * 2 if op is Op.INSERT else ["delivered"] * 2
    )


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        ({"kind": "throttle", "retry_after": 7}, Throttled(timedelta(seconds=7))),
        ({"kind": "throttle", "retry_after": None}, Throttled(None)),
        ({"kind": "error_before"}, Unavailable("http_503", "the destination answered 503", applied_unknown=False)),
        ({"kind": "error_after"}, Unavailable("http_500", "the destination answered 500", applied_unknown=True)),
        (
            {"kind": "drop_before"},
            Unavailable("no_answer", "no whole answer (RemoteProtocolError)", applied_unknown=True),
        ),
        (
            {"kind": "drop_after"},
            Unavailable("no_answer", "no whole answer (RemoteProtocolError)", applied_unknown=True),
        ),
        (
            {"kind": "malformed"},
            Unavailable("bad_answer", "the answer cannot be read (JSONDecodeError)", applied_unknown=True),
        ),
        (
            {"kind": "reject", "ids": ["2"], "code": "c"},
            Outcomes((Delivered("1"), Rejected("2", "c", "a fault rejects this record"))),
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_fault_becomes_the_reply_that_says_whether_the_batch_may_be_applied(
    sandbox: Visitor, fault: dict[str, Any], reply: Reply
) -> None:
    sandbox.switch({**fault, "count": 1})

    assert sent(sandbox) == reply
    if fault["kind"] != "reject":
        assert sent(sandbox) == AllDelivered(), "the same key again settles it"
        assert set(sandbox.held()) == {"1", "2"}


def test_a_refused_batch_is_one_to_be_halved(sandbox: Visitor) -> None:
    sandbox.switch({"kind": "refuse", "ids": ["2"]})

    assert isinstance(sent(sandbox), Refused)
    assert sandbox.held() == {}


def test_a_key_with_another_body_stops_because_another_try_cannot_help(sandbox: Visitor) -> None:
    """D11."""
    sent(sandbox)

    assert isinstance(sent(sandbox, records={1: {"name": "other"}}), Stop)


def test_a_check_tells_a_sandbox_from_anything_else(sandbox: Visitor) -> None:
    here = Sandbox(SandboxConfig(url=f"{sandbox.http.base_url}/"))
    lost = Sandbox(SandboxConfig(url=f"{sandbox.http.base_url}/objects"))

    assert asked(here.check) == "the sandbox answers"
    with pytest.raises(CheckFailed, match="not a sandbox"):
        asked(lost.check)
    with receiving() as receiver, pytest.raises(CheckFailed, match="not a sandbox"):
        asked(Sandbox(SandboxConfig(url=receiver.url)).check)
    with pytest.raises(CheckFailed, match="no connection"):
        asked(Sandbox(SandboxConfig(url="http://127.0.0.1:1")).check)
    assert sandbox.journal == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8765",
        "ftp://127.0.0.1/",
        "http://sandbox.example/",
        "http://u:p@127.0.0.1/",
        "http://127.0.0.1/?a=1",
        "http://127.0.0.1/#a",
    ],
)
def test_an_address_that_is_no_sandboxs_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        SandboxConfig(url=url)
