"""Whether a contract may follow another under one major: what changed, and whether its version says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from engine.contracts.difference import Bump, Change, Kind, contract_changes, covers, needed_bump
from engine.contracts.odcs import Contract, read_contract
from engine.core.classification import Classifications

REASONS_MAX = 5
_ASKS = {Bump.MAJOR: Kind.BREAKING, Bump.MINOR: Kind.ADDITIVE, Bump.PATCH: Kind.COMPATIBLE}


@dataclass(frozen=True, slots=True)
class Succession:
    """From version ``before`` to version ``after``: the changes, the part of the version that must grow, and whether it did."""

    before: str
    after: str
    changes: tuple[Change, ...]
    bump: Bump
    covered: bool

    @property
    def breaks(self) -> bool:
        """Whether only another major may say this."""
        return self.bump is Bump.MAJOR and not self.covered

    @property
    def kind(self) -> Kind | None:
        """The kind of the changes that ask for the most of the version; None when nothing changed that is acted upon."""
        return _ASKS.get(self.bump)

    @property
    def reasons(self) -> str:
        """The changes that ask for the most, each with what it means; the first few of many."""
        gravest = [change for change in self.changes if change.kind is self.kind]
        told = [f"{told_change(change)}: {change.reason}" for change in gravest[:REASONS_MAX]]
        return "; ".join([*told, f"and {len(gravest) - len(told)} more"] if len(gravest) > len(told) else told)


def told_change(change: Change) -> str:
    """A change in words, without its reason."""
    if change.before and change.after:
        return f"{change.what} was {change.before} and is {change.after}"
    return f"{change.what} is {'gone' if change.before else 'new'}"


def succession(old: str, new: str, classes: Classifications) -> Succession:
    """Compare two contracts by their `engine.contracts.definition.definition`.

    Where the project has lost a word for how sensitive a column was, the old contract counts as saying what the new one
    does: what may leave for whom is judged with every plan anyway. A contract that cannot be read any more breaks, since
    nobody can tell what changed.
    """
    was, now = json.loads(old), json.loads(new)
    _in_words_of(classes, was, now)
    before, after = read_contract(was, classes), read_contract(now, classes)
    if not (isinstance(before, Contract) and isinstance(after, Contract)):
        why = "nobody can tell what changed, for one of the two is not a contract that this release reads"
        words = (str(was["version"]), str(now["version"]))
        changes: tuple[Change, ...] = (Change(Kind.BREAKING, "the contract", *words, why),)
    else:
        words = (before.version, after.version)
        changes = contract_changes(before, after)
    bump = needed_bump(changes)
    return Succession(*words, changes, bump, covers(*words, bump))


def _in_words_of(classes: Classifications, old: Any, new: Any) -> None:  # parsed JSON
    """Take words that the project does not have out of both."""
    known: dict[str, Any] = {}
    for column in new["schema"][0]["properties"]:
        if column.get("classification") not in {None, *classes.words}:
            del column["classification"]
        known[column["name"]] = column.get("classification")
    for column in old["schema"][0]["properties"]:
        if column.get("classification") not in {None, *classes.words}:
            column["classification"] = known.get(column["name"])
