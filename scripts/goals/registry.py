"""Which goals there are; a module is imported when its goal is asked for, for some take long to load."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from goals.goal import Goal

MODULES: Mapping[str, str] = MappingProxyType(
    {
        "G1": "kills",
        "G2": "postgres_kills",
        "G3": "simulator",
        "G4": "failpoints",
        "G5": "zombies",
        "G6": "takeover",
        "G7": "withdrawals",
        "G8": "erasure",
        "G9": "corruption",
        "G10": "disk",
        "G12": "storm",
        "G13": "poison",
        "G14": "bad_input",
        "G15": "canary",
        "G16": "phantom",
        "G17": "schedule",
        "G18": "resources",
        "G20": "mutants",
        "G21": "rollback",
        "G22": "mass_change",
        "G25": "failover",
        "G26": "writers",
    }
)


def goal(id: str) -> Goal:
    """The goal with this id; raises ``KeyError`` for one that is not measured here."""
    found = import_module(f"goals.{MODULES[id]}").GOAL
    assert isinstance(found, Goal)
    assert found.id == id, "the table names the module of another goal"
    return found
