"""The fault proxy does what it says, so that a test that passes through it proves something."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.faultproxy import NO_FAULTS, FaultProxy, Faults, proxying
from tests.receiver import Receiver, receiving

_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANSWER_BYTES_MIN = 60


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def proxy(receiver: Receiver) -> Iterator[FaultProxy]:
    with proxying(receiver.url) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy, receiver: Receiver) -> Iterator[httpx.Client]:
    address = proxy.through(receiver.url)
    with httpx.Client(base_url=address, trust_env=False, timeout=5, verify=_NO_AUTHORITIES) as made:
        yield made


def send(client: httpx.Client, key: str, name: str = "Ada") -> int:
    record = {"op": "upsert", "id": "1", "key": {"id": "1"}, "fields": {"name": name}}
    return client.post("", content=json.dumps({"records": [record]}), headers={"idempotency-key": key}).status_code


def test_without_faults_everything_passes_over_one_connection(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver
) -> None:
    assert [send(client, f"k{n}", "x" * 200_000) for n in range(5)] == [200] * 5
    assert receiver.requests == 5
    assert (proxy.counts.connections, proxy.counts.requests, proxy.counts.broken) == (1, 5, 0)


def test_a_lost_response_is_an_effect_that_the_client_does_not_hear_of(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver
) -> None:
    proxy.faults = Faults(lost_responses=2)

    for key in ("k1", "k2"):
        with pytest.raises(httpx.TransportError):
            send(client, key)

    assert send(client, "k3") == 200
    assert [key for key, _ in receiver.log] == ["k1", "k2", "k3"]
    assert (proxy.counts.lost, proxy.counts.broken) == (2, 2)


def test_a_repeated_request_arrives_twice_and_is_answered_once(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver
) -> None:
    proxy.faults = Faults(repeated_share=1.0)

    assert send(client, "k1", "x" * 200_000) == 200

    deadline = time.perf_counter() + 5
    while receiver.requests < 2 and time.perf_counter() < deadline:
        time.sleep(0.005)
    assert [key for key, _ in receiver.log] == ["k1", "k1"]
    assert receiver.journal[0] == receiver.journal[1]


@pytest.mark.parametrize("resets", [True, False], ids=["RST", "FIN"])
def test_a_connection_that_ends_on_the_way_to_the_server_brings_nothing_about(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver, resets: bool
) -> None:
    proxy.faults = Faults(to_server_bytes_max=100, resets=resets)

    # Which of the two the client hears of also depends on what it was sending at that moment.
    with pytest.raises(httpx.TransportError, match=r"reset|disconnected"):
        send(client, "k1")

    assert (receiver.journal, proxy.counts.broken) == ([], 1)
    proxy.faults = NO_FAULTS
    assert send(client, "k1") == 200


def test_a_connection_that_ends_on_the_way_to_the_client_breaks_the_answer_off(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver
) -> None:
    proxy.faults = Faults(to_client_bytes_max=ANSWER_BYTES_MIN)

    with pytest.raises(httpx.TransportError):
        send(client, "k1")

    assert (receiver.requests, proxy.counts.broken) == (1, 1)


def test_a_stalled_connection_is_silent_until_the_client_gives_up(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver
) -> None:
    client.timeout = httpx.Timeout(0.2)
    proxy.faults = Faults(stalls=True)

    with pytest.raises(httpx.ReadTimeout):
        send(client, "k1")

    assert receiver.journal == []


def test_a_cut_ends_a_call_under_way_and_a_refusal_the_next(
    proxy: FaultProxy, client: httpx.Client, receiver: Receiver
) -> None:
    def cut(_: object) -> None:
        proxy.cut()

    receiver.answer = cut
    with pytest.raises(httpx.TransportError):
        send(client, "k1")
    receiver.answer = lambda _: None
    proxy.faults = Faults(refuses=True)
    with pytest.raises(httpx.TransportError):
        send(client, "k2")

    # The caller hears of the cut before the destination has written down what it was asked.
    deadline = time.perf_counter() + 10
    while not receiver.log and time.perf_counter() < deadline:
        time.sleep(0.001)
    assert [key for key, _ in receiver.log] == ["k1"]
    assert proxy.counts.broken == 1


def test_bytes_come_late_and_slowly(proxy: FaultProxy, client: httpx.Client) -> None:
    proxy.faults = Faults(latency_seconds=0.02, bytes_per_second=1_000_000)
    began = time.perf_counter()

    assert send(client, "k1", "x" * 100_000) == 200

    assert time.perf_counter() - began >= 0.02 + 0.1 + 0.02
