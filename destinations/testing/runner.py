"""Run the suite of an installed adapter and say how each check ended, as values; pytest's own words stay inside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

import pytest

GROUP = "tidegate.conformance"
SUITES = {
    "braze": "destinations.testing.braze::TestBraze",
    "customerio": "destinations.testing.customerio::TestCustomerIo",
    "http": "destinations.testing.http_api::TestDescribed",
    "hubspot": "destinations.testing.hubspot::TestHubSpot",
    "salesforce": "destinations.testing.salesforce_bulk::TestSalesforceJobs",
    "sandbox": "destinations.testing.ours::TestSandbox",
    "sql": "destinations.testing.sql",
    "webhook": "destinations.testing.ours::TestWebhook",
}
"""The suites of our adapters, or the module of several; others name theirs as ``module:Class`` in the entry-point group."""
WHY_LENGTH_MAX = 500
_QUIETLY = ("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "destinations.testing.plugin", "--noconftest")


@dataclass(frozen=True, slots=True)
class Result:
    """How a check ended for one case: it passed, it failed, or it was skipped; ``why`` says so of the latter two."""

    suite: str
    check: str
    case: str
    ended: str
    why: str


def suite_of(name: str) -> str | None:
    """Where pytest finds the suite of an adapter; None when nobody named one."""
    if name in SUITES:
        return SUITES[name]
    for point in entry_points(group=GROUP, name=name):
        return f"{point.module}::{point.attr}"
    return None


def results(targets: Sequence[str]) -> list[Result]:
    """Run the tests that ``targets`` name as pytest would, whatever is configured in the working directory."""
    listener = _Listener()
    pytest.main([*_QUIETLY, "-c", os.devnull, "--pyargs", *targets], plugins=[listener])
    return listener.results


class _Listener:
    """Hears how tests end; a suite that cannot be collected counts as a check that failed."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each phase of a test."""
        if report.when != "call" and report.passed:
            return
        names, _, case = report.nodeid.partition("[")
        _, _, rest = names.partition("::")
        suite, _, check = rest.rpartition("::")
        ended = "skipped" if report.skipped else "failed" if report.failed else "passed"
        self.results.append(Result(suite, check, case.removesuffix("]"), ended, _why(report)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Called by pytest for each file and class that it looked into."""
        if report.failed:
            self.results.append(Result(report.nodeid, "collect", "", "failed", _why(report)))


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    if report.passed:
        return ""
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    return str(text)[:WHY_LENGTH_MAX]
