"""The text that the ledger keeps of a contract says all that is acted upon, and nothing that only people read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from config.locate import read_document
from engine.contracts.difference import Bump, Kind
from engine.contracts.odcs import Contract, read_contract
from engine.contracts.succession import succession
from engine.core.classification import USUAL

ROOT = Path(__file__).parents[2]
FILES = sorted({*(ROOT / "tests/contracts/features/read").glob("*.yaml"), *(ROOT / "config").rglob("*.odcs.yaml")})


def written(path: Path) -> Any:
    return read_document(path.name, path.read_bytes()).data


def read(data: Any) -> Contract:
    found = read_contract(data)
    assert isinstance(found, Contract), found
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_the_same_contract_is_read_from_its_definition(path: Path) -> None:
    contract = read(written(path))

    again = read(json.loads(contract.definition))

    assert unordered(again) == unordered(contract)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_words_for_people_leave_the_definition_as_it_was(path: Path) -> None:
    data = written(path)
    data["description"] = {"purpose": "MARK"}
    data["team"] = {"name": "MARK"}
    data["support"] = [{"channel": "MARK"}]
    data["schema"][0]["description"] = "MARK"
    for column in data["schema"][0]["properties"]:
        column |= {"description": "MARK", "examples": ["MARK"], "businessName": "MARK", "tags": ["MARK"]}

    assert read(data).definition == read(written(path)).definition


def unordered(contract: Contract) -> Contract:
    """Without the order of a column's options and the names of what nothing can judge."""
    values = tuple(sorted(contract.demands.values, key=lambda rule: rule.label))
    return dataclasses.replace(contract, not_enforced=(), demands=dataclasses.replace(contract.demands, values=values))


def minimal(version: str = "1.0.0", **column: Any) -> Any:
    key = {"name": "id", "logicalType": "integer", "primaryKey": True}
    properties = [key, {"name": "mail", "logicalType": "string", **column}]
    heading = {"apiVersion": "v3.0.2", "kind": "DataContract", "id": "c", "version": version, "status": "active"}
    return {**heading, "schema": [{"name": "c", "properties": properties}]}


def follows(old: Any, new: Any) -> tuple[Kind | None, Bump, bool]:
    found = succession(read(old).definition, read(new).definition, USUAL)
    return found.kind, found.bump, found.breaks


def test_only_what_breaks_within_a_major_may_not_follow() -> None:
    weaker, stronger = minimal("1.9.0"), minimal("1.0.0", required=True)

    assert follows(stronger, weaker) == (Kind.BREAKING, Bump.MAJOR, True)
    assert follows(stronger, minimal("2.0.0")) == (Kind.BREAKING, Bump.MAJOR, False)
    assert follows(weaker, stronger) == (Kind.COMPATIBLE, Bump.PATCH, False)
    assert follows(weaker, weaker) == (None, Bump.NONE, False)


def test_a_contract_before_that_nobody_can_read_any_more_may_not_be_followed() -> None:
    old = json.loads(read(minimal()).definition)
    old["schema"][0]["properties"][1]["logicalType"] = "hologram"

    found = succession(json.dumps(old), read(minimal("1.0.1")).definition, USUAL)

    assert found.breaks
    assert "nobody can tell what changed" in found.reasons


def test_a_class_that_the_project_gave_up_counts_as_todays() -> None:
    old = json.loads(read(minimal(classification="restricted")).definition)
    old["schema"][0]["properties"][1]["classification"] = "top secret"

    found = succession(json.dumps(old), read(minimal(classification="restricted")).definition, USUAL)

    assert found.changes == ()


def test_many_reasons_are_told_by_their_first_few_and_their_number() -> None:
    old, new = minimal(), minimal("1.1.0")
    old["schema"][0]["properties"] += [{"name": f"c{n}", "logicalType": "string"} for n in range(8)]

    reasons = succession(read(old).definition, read(new).definition, USUAL).reasons

    assert reasons.count("column c") == 5
    assert reasons.endswith("; and 3 more")
