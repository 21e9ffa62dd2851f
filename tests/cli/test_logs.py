"""Logs go to stderr as JSON lines, quiet by default, and hold no secret in any spelling."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SourceError
from engine.observe.log import configure
from engine.observe.redact import LENGTH_MIN, Redactor

SECRET = 'p@ss/wörd "x"+%'


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_lines_are_json_and_only_what_is_loud_enough_is_told() -> None:
    stream = io.StringIO()
    configure(stream, "warning", Redactor())
    configure(stream, "warning", Redactor())
    structlog.get_logger("engine").info("quiet")
    structlog.get_logger("engine").warning("lease_lost", sync="customers_to_crm")
    logging.getLogger("somebody").error("%s failed", "it")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["level"], first["sync"]) == ("lease_lost", "warning", "customers_to_crm")
    assert (second["event"], second["logger"]) == ("it failed", "somebody")


def test_no_log_line_holds_a_secret() -> None:
    stream, redactor = io.StringIO(), Redactor()
    redactor.register(SECRET)
    configure(stream, "debug", redactor)
    log = structlog.get_logger("engine")
    log.info(SECRET, deep={"a": [SECRET, {SECRET: SECRET.encode()}]})
    error = ValueError(f"cannot dial db://u:{quote(SECRET, safe='')}@host")
    log.error("dial", exc_info=error)
    logging.getLogger("httpx").warning("GET https://x/?key=%s", quote(SECRET))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 3
    text = repr(lines)
    for spelling in (SECRET, quote(SECRET), quote(SECRET, safe=""), json.dumps(SECRET)[1:-1], repr(SECRET)[1:-1]):
        assert spelling not in text
    assert "[secret]" in text


def test_what_libraries_say_below_a_warning_and_in_their_exceptions_is_kept_back() -> None:
    stream = io.StringIO()
    configure(stream, "debug", Redactor())
    logging.getLogger("httpcore.http11").debug("receive_response_headers.complete %r", [("x-echo", "ada@example.org")])
    log = structlog.get_logger("engine")
    foreign, ours = ValueError("ada@example.org is no date"), SourceError("The source is not what it was")
    ours.__cause__ = foreign
    log.error("read", exc_info=ours)
    try:
        int("ada@example.org")
    except ValueError:
        log.exception("read")
    logging.getLogger("asyncio").error("never retrieved", exc_info=KeyError("ada@example.org"))

    first, bare, second = (json.loads(line) for line in stream.getvalue().splitlines())

    assert "ada@" not in stream.getvalue().replace('int(\\"ada@example.org\\")', ""), "but for the code itself"
    assert "builtins.ValueError" in first["exception"]
    assert "SourceError: The source is not what it was" in first["exception"]
    assert bare["exception"].endswith("builtins.ValueError")
    assert second["exception"].endswith("builtins.KeyError")


@given(secret=st.text(min_size=LENGTH_MIN, max_size=40), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_every_spelling_of_a_secret_is_replaced(secret: str, before: bytes, after: bytes) -> None:
    redactor = Redactor()
    redactor.register(secret)
    raw = secret.encode("utf-8", "surrogatepass")
    for spelled in (secret, quote(raw, safe=""), json.dumps(secret)):
        assert "[secret]" in redactor.redact(f"<{spelled}>")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert "[secret]" in redactor.redact(encode(before + raw + after).decode())


def test_a_short_word_is_not_taken_for_a_secret() -> None:
    redactor = Redactor()
    redactor.register("a")
    redactor.register("")
    assert redactor.redact("a banana") == "a banana"
