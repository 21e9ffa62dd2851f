"""Run the conformance suite of an installed adapter, in a process of its own: pytest is a tool and no dependency."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from destinations.registry import UnknownAdapter, adapter
from engine.errors import ConfigurationError, TidegateError

SECONDS_MAX = 600
_HOW = "see docs/adapters.md"


@dataclass(frozen=True, slots=True)
class SuiteCheck:
    """A check of the suite in one case: it ``passed``, it ``failed``, or it was ``skipped``, and why."""

    check: str
    case: str
    ended: str
    why: str


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """How an adapter did; checks in the order in which they ran."""

    adapter: str
    passed: int
    skipped: int
    failed: int
    checks: tuple[SuiteCheck, ...]


def conformance(name: str) -> ConformanceReport:
    """Judge an adapter against its fake; no project is read and nothing is dialled.

    Raises `ConfigurationError` when there is no such adapter, no suite for it, or no pytest.
    """
    try:
        adapter(name)
    except UnknownAdapter as error:
        raise ConfigurationError(str(error)[:1].upper() + str(error)[1:], next=_HOW) from None
    if find_spec("pytest") is None:
        raise ConfigurationError(
            "The conformance suite needs pytest, which is not installed", next="pip install 'tidegate[testing]'"
        )
    document = _run(name)
    if document["suite"] is None:
        raise ConfigurationError(
            f"The adapter `{name}` brings no conformance suite",
            next=f"name its test class in the entry-point group `tidegate.conformance`; {_HOW}",
        )
    checks = tuple(SuiteCheck(_words(r["check"]), r["case"], r["ended"], r["why"]) for r in document["results"])
    ended = [check.ended for check in checks]
    if {"passed", "failed"}.isdisjoint(ended):
        raise TidegateError(f"No check of the conformance suite `{document['suite']}` ran", next=_HOW)
    return ConformanceReport(name, ended.count("passed"), ended.count("skipped"), ended.count("failed"), checks)


def _run(name: str) -> dict[str, Any]:  # JSON
    # -P keeps the working directory off the import path, where a project has a folder `destinations`; no plugin of the
    # environment takes part, so that the report is the same everywhere.
    done = subprocess.run(  # noqa: S603  # our own program; the name is that of an installed adapter
        [sys.executable, "-P", "-m", "destinations.testing", name],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS_MAX,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        check=False,
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TidegateError(f"The conformance suite did not run: {last}", next=_HOW) from None
    return document


def _words(check: str) -> str:
    """A test's name as the sentence that it is."""
    return check.removeprefix("test_").replace("_", " ")
