"""Reports as the services would return them, for views that are tested without a run."""

from __future__ import annotations

from engine.core.events import CheckResult
from engine.core.outcome import RunStatus
from engine.service.plans import PlanPreview
from engine.service.reports import ChangeCounts, PlanCounts, RunReport
from engine.service.samples import Sample


def run_report(**changed: object) -> RunReport:
    values: dict[str, object] = {
        "sync": "customers_to_crm",
        "dataset": "customers@1",
        "version": 42,
        "run": "20260102T030405-9f2c",
        "status": RunStatus.SUCCEEDED,
        "reason": "",
        "plan": PlanCounts(id="ab" * 8, digest="ab" * 32, inserts=12_345, unchanged=1_000_000, comparison="full"),
        "delivered": ChangeCounts(inserts=12_345, updates=1, deletes=0),
        "rejected": 0,
        "failed": 0,
        "unknown": 0,
        "withheld": 0,
        "requests": 25,
        "bytes_sent": 1_234_567,
        "seconds": {"total": 12.34, "capture": 1.0, "gate": 0.0, "plan": 2.0, "deliver": 9.0, "fold": 0.34},
        "resumed": "",
        "next": "",
    }
    return RunReport(**{**values, **changed})  # type: ignore[arg-type]  # the tests name the fields


def plan_preview(**changed: object) -> PlanPreview:
    update = Sample(
        change="update",
        reason="changed",
        id="42",
        before={"email": '"old@example.com"', "name": '"Ada"', "ltv": None},
        after={"email": '"new@example.com"', "name": '"Ada"', "ltv": "1.5"},
        changed=("email", "ltv"),
    )
    values: dict[str, object] = {
        "sync": "customers_to_crm",
        "dataset": "customers@1",
        "version": 43,
        "candidate": True,
        "plan": PlanCounts("ab" * 8, "cd" * 32, 1_200, 1, 2, 99_000, 7, "incremental", "changes since version 42"),
        "checks": (
            CheckResult("volume.rows", "pass", "1,000 rows", {}),
            CheckResult("identity.match_key", "warn", "2 rows share a match key", {"rows": 2.0}),
        ),
        "samples": (
            Sample("insert", "new", "7", {}, {"email": '"a@example.com"'}, ("email",)),
            update,
            Sample("delete", "consent", "9", {"email": '"gone@example.com"'}, {}, ()),
        ),
        "blocked": False,
    }
    return PlanPreview(**{**values, **changed})  # type: ignore[arg-type]  # the tests name the fields
