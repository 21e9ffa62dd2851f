"""Which runbook an error belongs to: the one place that says so. The pages stand in ``docs/runbooks``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NAMES = (
    "destination-outage",
    "throttling",
    "auth",
    "poison-records",
    "mass-delete-block",
    "contract-drift",
    "stale-source",
    "partial-load",
    "late-rows",
    "stuck-job",
    "ledger-unreachable",
    "disk-full",
    "bad-version-delivered",
    "consent-incident",
    "erasure-overdue",
    "lease-fights",
)
"""Every runbook, in the order in which they are listed."""

OF_ERRORS: Mapping[str, str] = MappingProxyType(
    {
        "contract_refused": "contract-drift",
        "source": "stale-source",
        "storage": "disk-full",
        "segment_damaged": "disk-full",
        "system": "disk-full",
        "erasure_key": "erasure-overdue",
        "ledger": "ledger-unreachable",
        "ledger_tampered": "ledger-unreachable",
        "ledger_regressed": "ledger-unreachable",
        "ledger_schema": "ledger-unreachable",
        "ledger_conflict": "lease-fights",
        "facts_moved": "lease-fights",
        "stale_epoch": "lease-fights",
        "busy": "lease-fights",
        "destination": "auth",
    }
)
"""The code of an error to the name of its runbook."""

WITHOUT = frozenset({"error", "configuration", "interrupted", "bug"})
"""Codes of errors that are told in full: what to change stands in the error, or nobody but us can."""


def runbook_of(code: str) -> str:
    """The name of the runbook for an error; empty where none is needed."""
    return OF_ERRORS.get(code, "")
