"""Calls go where a destination's file says and to no other place, whatever names lead to (G24, I25, Z2)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx
import pytest

from destinations.auth import ClientCredentials
from destinations.base import Denied, DestinationConfig, Op, Stop, Unavailable
from destinations.webhook import Webhook, WebhookConfig
from engine.core.reach import Address, Reach
from engine.delivery.network import Guarded, Look, Wire, looked_up
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.reach import reach
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.transport import PUBLIC, HttpTransport, TransportLimits
from tests.delivery.scripted import ran
from tests.delivery.sockets import answer, serving
from tests.destinations.auth_world import ONE, Api
from tests.destinations.batches import batch

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
OPEN = "93.184.215.14"
NAMES = {
    "crm.example": OPEN,
    "six.example": "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "both.example": f"{OPEN} 10.0.0.7",
    "behind.example": f"{OPEN} {OPEN} ::1",
    "loop.example": "127.0.0.1",
    "loop6.example": "::1",
    "lan.example": "192.168.1.10",
    "lan10.example": "10.1.2.3",
    "lan172.example": "172.20.0.1",
    "lan6.example": "fd12:3456::1",
    "link.example": "fe80::1%2",
    "meta.example": "169.254.169.254",
    "meta6.example": "fd00:ec2::254",
    "mapped.example": "::ffff:169.254.169.254",
    "translated.example": "64:ff9b::a9fe:a9fe",
    "tunnel.example": "2002:7f00:1::",
    "teredo.example": "2001:0:7f00:1::",
    "carrier.example": "100.64.0.1",
    "zero.example": "0.0.0.0",
    "zero6.example": "::",
    "every.example": "255.255.255.255",
    "group.example": "224.0.0.251",
    "localhost": "127.0.0.1",
    "ip6-localhost": "::1",
    "xn--nxasmq6b.example": "10.0.0.1",
    "kubernetes.default.svc": "10.96.0.1",
    "metadata.google.internal": "169.254.169.254",
}
FORBIDDEN = (
    *(f"https://{name}/hook" for name in NAMES if name not in {"crm.example", "six.example"}),
    *(f"http://{name}:8080/" for name in ("loop.example", "lan.example", "meta.example", "localhost")),
    "http://127.0.0.1/",
    "http://127.0.0.1:6379/",
    "http://127.0.0.2/",
    "http://127.255.255.254/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://2130706433/",
    "http://0/",
    "http://0.0.0.0/",
    "http://00.0.0.0/",
    "http://10.0.0.1/",
    "http://012.0.0.1/",
    "http://167772161/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://0xc0a80001/",
    "http://3232235521/",
    "http://100.64.0.1/",
    "http://169.254.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://crm.example@127.0.0.1/",
    "http://crm.example:80@169.254.169.254/",
    "http://crm.example%2f@10.0.0.1/",
    "http://127.0.0.1#@crm.example/",
    "http://127.0.0.1?@crm.example/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://127.0.0.1./",
    "http://gone.example/",
)
"""Addresses that somebody might bring an operator to write, or an answer to name; none of them is to be connected to."""


class Ear(httpcore.AsyncNetworkBackend):
    """A network on which nobody is far away: it hears who is called, and answers with 200."""

    def __init__(self, dead: Iterable[str] = ()) -> None:
        self.called: list[str] = []
        self.names: list[str | None] = []
        self.heads: list[bytes] = []
        self._dead = frozenset(dead)

    async def connect_tcp(self, host: str, port: int, *_: Any) -> httpcore.AsyncNetworkStream:
        self.called.append(host)
        if host in self._dead:
            raise httpcore.ConnectTimeout
        return Mouth(self)


class Mouth(httpcore.AsyncNetworkStream):
    """The other side of a call; what it can do has the signatures of httpcore."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, *_: Any, **__: Any
    ) -> httpcore.AsyncNetworkStream:
        self._ear.names.append(server_hostname)
        return self

    async def write(self, buffer: bytes, *_: Any, **__: Any) -> None:
        self._ear.heads.append(buffer)

    async def read(self, max_bytes: int, *_: Any, **__: Any) -> bytes:
        return answer(b"", "Connection: close")

    async def aclose(self) -> None:
        """Nothing was opened."""

    def get_extra_info(self, info: str) -> Any:
        return None


async def told(host: str, port: int) -> Sequence[Address]:
    """What the names of this file lead to; numbers in any spelling are read as the machine's own resolver does."""
    if any(letter not in "0123456789abcdefx." for letter in host):
        if host not in NAMES:
            raise socket.gaierror
        return [ip_address(address) for address in NAMES[host].split()]
    return await looked_up(host, port)


def transport(bounds: Reach, ear: Ear, look: Look = told) -> HttpTransport:
    clock, wire = SkippedClock(), Wire(Guarded(bounds, look, ear), NO_AUTHORITIES, 4)
    return HttpTransport(Pacer(Unlimited(), clock), clock, TransportLimits(), wire)


def call(url: str, ear: Ear, bounds: Reach = PUBLIC, look: Look = told) -> httpx.Response | Unavailable:
    async def once() -> httpx.Response | Unavailable:
        wire = transport(bounds, ear, look)
        try:
            return await wire.request(httpx.Request("POST", url, content=b"{}"))
        finally:
            await wire.close()

    return ran(once())


def test_there_are_enough_addresses() -> None:
    assert len(set(FORBIDDEN)) == len(FORBIDDEN) >= 60


@pytest.mark.parametrize("url", FORBIDDEN)
def test_nobody_is_called_at_an_address_that_is_not_of_the_internet(url: str) -> None:
    ear = Ear()

    try:
        reply = call(url, ear)
    except (Denied, httpx.InvalidURL):
        pass
    else:
        assert isinstance(reply, Unavailable)
        assert (reply.code, reply.applied_unknown) == ("connect", False), "it leads nowhere"
    assert ear.called == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "017700000001",
        "0x7f000001",
        "2130706433",
        "0",
        "0.0.0.0",
        "localhost",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ],
)
def test_a_listener_of_this_machine_is_not_connected_to_under_any_spelling(host: str) -> None:
    """The same with the real resolver and a real socket."""
    with serving(lambda peer: peer.sendall(answer())) as server:
        port = server.host.rpartition(":")[2]

        async def once() -> None:
            clock = SkippedClock()
            wire = HttpTransport(Pacer(Unlimited(), clock), clock, TransportLimits())
            try:
                with pytest.raises(Denied):
                    await wire.request(httpx.Request("POST", f"http://{host}:{port}/"))
            finally:
                await wire.close()

        ran(once())
        assert server.connections == 0


def test_the_name_is_looked_up_once_and_stays_what_the_server_must_prove() -> None:
    ear, asked = Ear(), list[str]()

    async def look(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return await told(host, port)

    reply = call("https://crm.example/hook", ear, look=look)

    assert isinstance(reply, httpx.Response)
    assert (asked, ear.called, ear.names) == (["crm.example"], [OPEN], ["crm.example"])
    assert b"Host: crm.example\r\n" in ear.heads[0]


def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed() -> None:
    """Z2: each connection looks the name up anew, and goes to what was judged."""
    ear, answers = Ear(), iter([OPEN, "169.254.169.254"])

    async def look(host: str, port: int) -> Sequence[Address]:
        return [ip_address(next(answers))]

    assert isinstance(call("https://crm.example/", ear, look=look), httpx.Response)
    with pytest.raises(Denied):
        call("https://crm.example/", ear, look=look)

    assert ear.called == [OPEN]


def test_addresses_are_tried_one_after_the_other_and_nothing_left_when_none_takes_the_call() -> None:
    async def look(host: str, port: int) -> Sequence[Address]:
        return [ip_address("2606:2800::1"), ip_address(OPEN)]

    ear, deaf = Ear(dead=["2606:2800::1"]), Ear(dead=["2606:2800::1", OPEN])

    assert isinstance(call("https://crm.example/", ear, look=look), httpx.Response)
    assert ear.called == ["2606:2800::1", OPEN]
    reply = call("https://crm.example/", deaf, look=look)
    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown) == ("connect", False)


def test_a_private_address_is_called_when_the_operator_allows_it() -> None:
    for host, address in (("lan.example", "192.168.1.10"), ("loop.example", "127.0.0.1"), ("10.0.0.1", "10.0.0.1")):
        ear = Ear()
        assert isinstance(call(f"http://{host}/", ear, Reach(private=True)), httpx.Response)
        assert ear.called == [address]


@pytest.mark.parametrize("host", ["meta.example", "mapped.example", "zero.example", "group.example", "tunnel.example"])
def test_some_places_are_called_by_nobody(host: str) -> None:
    ear = Ear()

    with pytest.raises(Denied):
        call(f"http://{host}/", ear, Reach(private=True))

    assert ear.called == []


def webhook(**config: Any) -> Webhook:
    return Webhook(WebhookConfig.model_validate(config))


def test_the_reach_of_a_destination_is_what_its_file_says() -> None:
    here = webhook(url="http://127.0.0.1:8765/batch")

    assert reach(here) == Reach(here=frozenset({("127.0.0.1", 8765)}))
    assert reach(webhook(url="https://LOCALHOST/x")) == Reach(here=frozenset({("localhost", 443)}))
    assert reach(webhook(url="https://crm.example/")) == Reach()
    assert reach(webhook(url="https://crm.example/", allow_private=True)) == Reach(private=True)
    assert reach(webhook(url="https://crm.example/", headers={"X-Where": "http://127.0.0.1:6379"})) == Reach()


def test_an_adapter_that_says_nothing_of_networks_reaches_none() -> None:
    class Loud(DestinationConfig):
        url: str
        allow_private: str = "yes"

    loud = webhook(url="https://a.example/")
    loud.config = Loud(url="https://a.example/")
    assert reach(loud) == Reach()


def test_a_run_stops_at_an_address_that_is_refused_and_nothing_was_applied() -> None:
    ear = Ear()

    async def once() -> Any:
        hook = webhook(url="https://lan.example/hook")
        return await hook.send(batch(Op.UPSERT, {1: {"a": 1}}), transport(reach(hook), ear))

    reply = ran(once())

    assert isinstance(reply, Stop)
    assert (reply.code, reply.applied_unknown) == ("address_refused", False)
    assert "allow_private: true" in reply.message
    assert ear.called == []


def test_a_credential_goes_to_no_token_endpoint_that_is_not_of_the_internet() -> None:
    ear = Ear()
    login = ClientCredentials(token_url="https://lan.example/token", client_id="c", client_secret="s-4711")

    async def once() -> Any:
        return await Api(login, address="https://crm.example/contacts").send(ONE, transport(Reach(), ear))

    reply = ran(once())

    assert isinstance(reply, Stop)
    assert reply.code == "address_refused"
    assert ear.called == []


def test_a_check_says_why_the_address_is_refused() -> None:
    async def once() -> None:
        hook = webhook(url="https://lan.example/hook")
        with pytest.raises(Denied, match=r"192\.168\.1\.10, an address of a private network"):
            await hook.check(transport(reach(hook), Ear()))

    ran(once())
