"""Doctor: look at everything that Tidegate needs to work, and say what to do. Nothing is made or changed.

Each check is a function that says what it found. None stands in the way of the next one: what a check cannot look at
is a finding too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.errors import TidegateError
from engine.service import doctor_installation, doctor_ledger, doctor_storage, doctor_work
from engine.service.doctor_premises import Finding, Level, Premises, problem, told

CHECKS: Mapping[str, Callable[[Premises], Iterator[Finding]]] = MappingProxyType(
    {
        "python": doctor_installation.python,
        "dependencies": doctor_installation.dependencies,
        "files": doctor_installation.files,
        "secrets": doctor_installation.secrets,
        "ledger": doctor_ledger.reachable,
        "schema": doctor_ledger.schema,
        "ledger settings": doctor_ledger.settings,
        "clock": doctor_ledger.clock,
        "anchors": doctor_ledger.anchors,
        "storage": doctor_storage.usable,
        "permissions": doctor_storage.private,
        "disk": doctor_storage.space,
        "leases": doctor_work.leases,
        "runs": doctor_work.unfinished,
        "accounts": doctor_work.accounts,
        "decisions": doctor_work.decisions,
        "erasures": doctor_work.erasures,
        "quarantine": doctor_work.quarantine,
        "destinations": doctor_installation.destinations,
    }
)
"""In the order in which they are told: what others rest on comes first."""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Every finding, in the order of the checks; ``ok`` when none is a problem."""

    ok: bool
    findings: tuple[Finding, ...]


def examine(premises: Premises) -> DoctorReport:
    """Make every check."""
    findings = tuple(finding for name in CHECKS for finding in _made(name, premises))
    return DoctorReport(all(finding.level is not Level.PROBLEM for finding in findings), findings)


def _made(name: str, premises: Premises) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(CHECKS[name](premises))
    except TidegateError as error:
        found.append(told(name, error))
    except OSError as error:
        found.append(problem(name, f"cannot be looked at: {error.strerror or type(error).__name__}", "mend that first"))
    except Exception as error:  # noqa: BLE001  # the one boundary: whatever is broken, the other checks are wanted all the more
        found.append(problem(name, f"cannot be looked at: {type(error).__name__}", "report this as a bug in Tidegate"))
    return found
