"""How long a server asks to wait, and how long no call is left, by the fields of its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

RETRY_AFTER_MAX = timedelta(days=1)
QUOTA_FIELDS = (
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
)
_UNIX_TIME_MIN = 1e9
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def retry_after(response: httpx.Response) -> timedelta | None:
    """How long the server asks to wait (RFC 9110, 10.2.3), at most `RETRY_AFTER_MAX`; None when it does not say.

    A date is relative to the response's own ``Date``, so that clocks that disagree do no harm.
    """
    written = response.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(written):
        return timedelta(seconds=min(float(written), RETRY_AFTER_MAX.total_seconds()))
    moment, sent = _moment(written), _moment(response.headers.get("date", ""))
    if moment is None or sent is None:
        return None
    return min(max(moment - sent, timedelta(0)), RETRY_AFTER_MAX)


def exhausted_for(response: httpx.Response, fields: Iterable[tuple[str, str]] = QUOTA_FIELDS) -> timedelta | None:
    """How long the answer says that no call is left; None when some are, or when it does not say.

    Read are the field ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers: ``"name";r=0;t=30``, and its older form
    ``remaining=0, reset=30``) and the pairs of ``fields``. A reset beyond a billion is a Unix time, and relative to
    the response's own ``Date``.
    """
    waits = [_wait(left, reset, response) for left, reset in _quotas(response.headers, fields)]
    return max((wait for wait in waits if wait is not None), default=None)


def _quotas(headers: httpx.Headers, fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What is left and when it is renewed, as written, of each quota that an answer names."""
    for policy in headers.get("ratelimit", "").split(",") if '"' in headers.get("ratelimit", "") else ():
        parameters = dict(part.strip().partition("=")[::2] for part in policy.split(";")[1:])
        yield parameters.get("r", ""), parameters.get("t", "")
    older = dict(part.strip().partition("=")[::2] for part in headers.get("ratelimit", "").split(","))
    yield older.get("remaining", ""), older.get("reset", "")
    for left, reset in fields:
        yield headers.get(left, "").strip(), headers.get(reset, "").strip()


def _wait(left: str, reset: str, response: httpx.Response) -> timedelta | None:
    if not _SECONDS.fullmatch(left) or float(left) > 0 or not _SECONDS.fullmatch(reset):
        return None
    seconds = float(reset)
    if seconds > _UNIX_TIME_MIN:
        sent = _moment(response.headers.get("date", ""))
        if sent is None:
            return None
        seconds = max(0.0, seconds - sent.timestamp())
    return timedelta(seconds=min(seconds, RETRY_AFTER_MAX.total_seconds()))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
