"""What a contract's ``status`` allows: only an active one is above question."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from engine.contracts.finding import Finding, nearest


class Status(StrEnum):
    """The words of ODCS, from first to last."""

    PROPOSED = "proposed"
    DRAFT = "draft"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"

    @property
    def is_unfinished(self) -> bool:
        return self in {Status.PROPOSED, Status.DRAFT}


def status_findings(written: str | None) -> Iterator[Finding]:
    """What is wrong with a status that says nothing."""
    if not written:
        yield Finding("missing_key", "`status` is missing", "the standard requires it, such as `active`", ("status",))
    elif written not in list(Status):
        yield Finding(
            "bad_value", "`status` is a word that Tidegate does not know", nearest(written, Status), ("status",)
        )


def retired() -> Finding:
    """Why a contract cannot be used any more."""
    hint = "use the contract that took its place, or make it `deprecated`"
    return Finding("retired", "the contract is retired, and nothing is read under it", hint, ("status",))


def unfinished(status: Status) -> Finding:
    """Why a contract cannot be used where only finished ones may."""
    hint = "make it `active`, or give the environment `draft_contracts: warn`"
    return Finding(
        "unfinished", f"the contract is a mere {_NOUN[status]}, which this environment refuses", hint, ("status",)
    )


_NOUN = {Status.PROPOSED: "proposal", Status.DRAFT: "draft"}
