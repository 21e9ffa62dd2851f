"""Doctor: the interpreter, the packages that Tidegate declares, and the project's files with what they refer to."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sized
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from config.problems import Code
from engine.errors import TidegateError
from engine.service.destinations import check
from engine.service.doctor_premises import Finding, Premises, fine, problem, told, warning
from engine.service.validate import validate

PACKAGE = "tidegate"
SHOWN_MAX = 20
"""Problems of files that are told one by one."""
_SECRETS = frozenset({Code.MISSING_VARIABLE, Code.BAD_REFERENCE, Code.OPEN_SECRET})
_VALIDATE = "tidegate validate"


def python(_: Premises) -> Iterator[Finding]:
    """The interpreter against what the package declares."""
    found, wanted = platform.python_version(), _declared()
    if wanted is None:
        yield warning("python", f"{found}; Tidegate is not installed as a package", "pip install tidegate")
    elif found not in SpecifierSet(wanted, prereleases=True):
        yield problem("python", f"{found}, and Tidegate needs {wanted}", "install it under a Python that it declares")
    else:
        yield fine("python", found)


def _declared() -> str | None:
    try:
        return metadata.metadata(PACKAGE)["Requires-Python"]
    except (metadata.PackageNotFoundError, KeyError):
        return None


def dependencies(_: Premises) -> Iterator[Finding]:
    """Each required package: that it is there, in a version of the declared range."""
    try:
        wanted = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        return
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    found = [finding for one in needed if (finding := _unmet(one)) is not None]
    yield from found or [fine("dependencies", f"{len(needed)} packages as declared")]


def _unmet(wanted: Requirement) -> Finding | None:
    install = f"pip install '{wanted.name}{wanted.specifier}'"
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return problem("dependencies", f"{wanted.name} is not installed", install)
    if wanted.specifier.contains(version, prereleases=True):
        return None
    return problem("dependencies", f"{wanted.name} {version} is not of {wanted.specifier}", install)


def files(premises: Premises) -> Iterator[Finding]:
    """The project's files; where they may be dialled, also what they read from."""
    if premises.project is None:
        found = [p for p in premises.problems if p.code not in _SECRETS]
        warnings: tuple[str, ...] = ()
    else:
        ledger = premises.app.tools.database if premises.app else None
        report = validate(premises.project, connect=premises.connect, now=premises.clock.now(), ledger=ledger)
        found, warnings = list(report.problems), report.warnings
    for wrong in found[:SHOWN_MAX]:
        yield problem("files", str(wrong), _VALIDATE)
    for doubtful in warnings[:SHOWN_MAX]:
        yield warning("files", doubtful, _VALIDATE)
    if (more := max(len(found) - SHOWN_MAX, 0) + max(len(warnings) - SHOWN_MAX, 0)) > 0:
        yield warning("files", f"and {more:,} more", _VALIDATE)
    if premises.project is not None and not found and not warnings:
        there = premises.project
        sizes: dict[str, Sized] = {"datasets": there.datasets, "destinations": there.destinations, "syncs": there.syncs}
        words = ", ".join(f"{name}: {len(of):,}" for name, of in sizes.items())
        yield fine("files", f"{words}, in environment {there.environment_name}")


def secrets(premises: Premises) -> Iterator[Finding]:
    """What ``${env:…}`` and ``${file:…}`` lead to in this environment, never what it says."""
    missing = [p for p in premises.problems if p.code in _SECRETS]
    for wrong in missing[:SHOWN_MAX]:
        yield problem(
            "secrets", str(wrong), "give it a value in the environment that starts Tidegate, or write its file"
        )
    if premises.project is not None and not missing:
        yield fine("secrets", "each one that this environment names is there and not empty")


def destinations(premises: Premises) -> Iterator[Finding]:
    """Whether each destination answers and takes the credential; only where they may be dialled."""
    if premises.app is None or not premises.connect:
        return
    for name in sorted(premises.app.destinations):
        try:
            answer = check(premises.app, name)
        except TidegateError as error:
            yield told("destinations", error)
            continue
        if answer.ok:
            yield fine("destinations", f"{name}: {answer.message}")
        else:
            yield problem("destinations", f"{name}: {answer.message}", f"tidegate destination check {name}")
