"""What HTTP says beside its body: status and headers arrive as sent, requests are signed late, and costs are counted."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
import respx

from destinations.base import Unavailable
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.transport import HttpTransport, Metered, TransportLimits
from tests.delivery.scripted import ran
from tests.delivery.sockets import BODY

URL = "http://127.0.0.1:9/batch"


def over(router: respx.MockRouter, *, calls: int = 1, stamp: bool = False) -> list[httpx.Response | Unavailable]:
    def sign(request: httpx.Request, now: datetime) -> httpx.Request:
        return httpx.Request(request.method, request.url, content=request.content, headers={"date": now.isoformat()})

    async def every() -> list[httpx.Response | Unavailable]:
        clock = SkippedClock()
        wire = httpx.MockTransport(router.async_handler)
        transport = HttpTransport(Pacer(Unlimited(), clock), clock, TransportLimits(), wire)
        replies = []
        for _ in range(calls):
            replies.append(await transport.request(httpx.Request("POST", URL, content=BODY), sign if stamp else None))
            await clock.sleep(60)
        await transport.close()
        return replies

    return ran(every())


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 429, 500, 503])
def test_status_and_headers_arrive_as_they_were_sent(status: int) -> None:
    router = respx.MockRouter()
    sent = [("Retry-After", "30"), ("X-Note", "a"), ("X-Note", "b")]
    router.post(URL).mock(return_value=httpx.Response(status, headers=sent, content=b"said"))

    (reply,) = over(router)

    assert isinstance(reply, httpx.Response)
    assert (reply.status_code, reply.content) == (status, b"said")
    assert (reply.headers["retry-after"], reply.headers.get_list("x-note")) == ("30", ["a", "b"])
    assert str(reply.request.url) == URL


def test_a_request_is_signed_at_the_moment_it_leaves() -> None:
    router = respx.MockRouter()
    route = router.post(URL).mock(return_value=httpx.Response(200))

    over(router, calls=2, stamp=True)

    moments = [datetime.fromisoformat(call.request.headers["date"]) for call in route.calls]
    assert moments[0] == datetime(2026, 1, 1, tzinfo=UTC)
    assert (moments[1] - moments[0]).total_seconds() == 60


@pytest.mark.parametrize(
    ("error", "code", "unknown"),
    [
        (httpx.ConnectError("x"), "connect", False),
        (httpx.ConnectTimeout("x"), "connect", False),
        (httpx.PoolTimeout("x"), "connect", False),
        (httpx.ReadError("x"), "no_answer", True),
        (httpx.WriteError("x"), "no_answer", True),
        (httpx.ReadTimeout("x"), "no_answer", True),
        (httpx.WriteTimeout("x"), "no_answer", True),
        (httpx.RemoteProtocolError("x"), "no_answer", True),
        (httpx.DecodingError("x"), "no_answer", True),
    ],
)
def test_only_a_request_that_found_no_connection_surely_had_no_effect(
    error: httpx.HTTPError, code: str, unknown: bool
) -> None:
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=error)

    (reply,) = over(router)

    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown) == (code, unknown)


def test_what_a_batch_costs_is_counted_as_it_leaves() -> None:
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=[httpx.Response(200), httpx.ReadError("x"), httpx.Response(503)])

    async def counted() -> tuple[int, int]:
        clock = SkippedClock()
        wire = httpx.MockTransport(router.async_handler)
        transport = HttpTransport(Pacer(Unlimited(), clock), clock, TransportLimits(), wire)
        meter = Metered(transport)
        for _ in range(3):
            await meter.request(httpx.Request("POST", URL, content=BODY))
        await transport.close()
        return meter.requests, meter.bytes_sent

    assert ran(counted()) == (3, 3 * len(BODY))
