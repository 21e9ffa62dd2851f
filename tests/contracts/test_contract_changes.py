"""What a change of a contract means to those who use its rows: every difference is found, and none that breaks is called harmless."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contracts.difference import Bump, Kind, contract_changes, covers, needed_bump
from engine.contracts.odcs import Contract, read_contract
from tests.property.effort import examples

RULE = {"metric": "nullValues", "mustBeLessThan": 5, "unit": "percent"}
BASE: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "c",
    "version": "1.2.3",
    "status": "active",
    "schema": [
        {
            "name": "t",
            "properties": [
                {"name": "id", "logicalType": "integer", "primaryKey": True},
                {"name": "mail", "logicalType": "string", "required": True, "unique": True, "quality": [RULE]},
                {"name": "tier", "logicalType": "string", "logicalTypeOptions": {"minLength": 2, "maxLength": 9}},
                {"name": "sum", "logicalType": "number", "physicalType": "decimal(9,2)"},
                {"name": "seen", "logicalType": "timestamp"},
            ],
        }
    ],
    "slaProperties": [
        {"property": "latency", "value": 4, "unit": "h", "element": "t.seen"},
        {"property": "endOfSupport", "value": "2031-01-01T00:00:00Z"},
    ],
}


def contract(*path: Any, value: Any = None) -> Contract:
    """`BASE`, with ``value`` at ``path``; None takes away what stands there."""
    data = deepcopy(BASE)
    if path:
        place: Any = data
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    found = read_contract(data)
    assert isinstance(found, Contract), found
    return found


COLUMNS = ("schema", 0, "properties")
MAIL, TIER, SUM = (*COLUMNS, 1), (*COLUMNS, 2), (*COLUMNS, 3)
AT_LEAST = {"metric": "nullValues", "mustBeLessThan": 9, "unit": "percent"}

EITHER_WAY: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("a type changes", (*SUM, "logicalType"), "string", "type of sum"),
    ("a decimal has other digits", (*SUM, "physicalType"), "decimal(9,3)", "type of sum"),
    ("another column joins the key", (*MAIL, "primaryKey"), True, "primary key"),
    ("a rule allows more", (*MAIL, "quality", 0), AT_LEAST, "quality rule"),
    ("it is another contract", ("id",), "d", "id"),
]
"""What breaks in one direction and in the other, or of which nobody can tell."""
WEAKER: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("a column is gone", SUM, None, "column sum"),
    ("a decimal holds more", (*SUM, "physicalType"), "decimal(12,2)", "type of sum"),
    ("null may come", (*MAIL, "required"), False, "`required` of mail"),
    ("repeats may come", (*MAIL, "unique"), False, "`unique` of mail"),
    ("it is more sensitive", (*MAIL, "classification"), "restricted", "classification of mail"),
    ("longer texts may come", (*TIER, "logicalTypeOptions", "maxLength"), 10, "`maxLength` of tier"),
    ("no most is demanded", (*TIER, "logicalTypeOptions", "maxLength"), None, "`maxLength` of tier"),
    ("a rule is gone", (*MAIL, "quality"), None, "quality rule"),
    ("a rule only warns", (*MAIL, "quality", 0, "severity"), "warning", "quality rule"),
    ("rows may be older", ("slaProperties", 0, "value"), 5, "latency of seen"),
]
LIFE: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("it is supported for less long", ("slaProperties", 1, "value"), "2030-01-01T00:00:00Z", "end of support"),
    ("it is a draft again", ("status",), "draft", "status"),
    ("it is retired", ("status",), "deprecated", "status"),
]
"""What is said of a major in its own contract, so that no other major can say it."""


def by_name(cases: list[tuple[str, tuple[Any, ...], Any, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("path", "value", "what"), [c[1:] for c in cases], ids=[c[0] for c in cases])


@by_name(WEAKER)
def test_what_takes_a_promise_back_breaks_and_what_gives_one_does_not(
    path: tuple[Any, ...], value: Any, what: str
) -> None:
    there = contract_changes(contract(), contract(*path, value=value))
    back = contract_changes(contract(*path, value=value), contract())

    assert [change.kind for change in there if change.what.startswith(what)] == [Kind.BREAKING]
    assert needed_bump(there) is Bump.MAJOR
    assert back
    assert Kind.BREAKING not in [change.kind for change in back]


@by_name(LIFE)
def test_how_long_a_major_is_to_be_relied_on_asks_for_no_other_major(
    path: tuple[Any, ...], value: Any, what: str
) -> None:
    (change,) = contract_changes(contract(), contract(*path, value=value))

    assert (change.kind, change.what) == (Kind.COMPATIBLE, what)


@by_name(EITHER_WAY)
def test_what_changes_the_meaning_of_rows_breaks_in_both_directions(
    path: tuple[Any, ...], value: Any, what: str
) -> None:
    changed = contract(*path, value=value)

    for old, new in ((contract(), changed), (changed, contract())):
        kinds = [change.kind for change in contract_changes(old, new) if change.what.startswith(what)]
        assert kinds == [Kind.BREAKING]


def test_equal_contracts_have_no_change_and_texts_for_people_do_not_count() -> None:
    assert contract_changes(contract(), contract()) == ()
    assert contract_changes(contract(), contract("description", value={"purpose": "to tell"})) == ()
    assert needed_bump(()) is Bump.NONE


def test_a_new_column_is_additive_and_names_itself() -> None:
    columns = [*BASE["schema"][0]["properties"], {"name": "city", "logicalType": "string"}]

    (change,) = contract_changes(contract(), contract(*COLUMNS, value=columns))

    assert (change.kind, change.column, change.after) == (Kind.ADDITIVE, "city", "string")


def test_one_of_two_rules_of_one_name_is_not_lost_behind_the_other() -> None:
    both = contract(*MAIL, "quality", value=[RULE, RULE])

    assert [c.kind for c in contract_changes(both, contract())] == [Kind.BREAKING]


def test_breaking_changes_come_first() -> None:
    extra = [{"name": "id", "logicalType": "integer", "primaryKey": True}, {"name": "city", "logicalType": "string"}]
    data = contract(*COLUMNS, value=[*BASE["schema"][0]["properties"][2:], *extra])

    kinds = [change.kind for change in contract_changes(contract(), data)]

    assert kinds == sorted(kinds, key=[Kind.BREAKING, Kind.COMPATIBLE, Kind.ADDITIVE].index)


@pytest.mark.parametrize(
    ("new", "covered"),
    [
        ("1.2.3", Bump.NONE),
        ("1.2.4", Bump.PATCH),
        ("1.3.0", Bump.MINOR),
        ("2.0.0", Bump.MAJOR),
        ("1.10.0", Bump.MINOR),
        ("2.0.0-rc.1", Bump.MAJOR),
    ],
)
def test_a_version_covers_what_its_first_grown_part_says_and_all_that_is_less(new: str, covered: Bump) -> None:
    order = list(Bump)

    assert {bump for bump in Bump if covers("1.2.3", new, bump)} == set(order[: order.index(covered) + 1])


def test_a_version_that_goes_back_covers_nothing() -> None:
    assert not any(covers("1.2.3", older, bump) for older in ("1.2.2", "1.1.9", "0.9.9") for bump in Bump)


LENGTHS = st.fixed_dictionaries({}, optional={"minLength": st.integers(0, 4), "maxLength": st.integers(4, 8)})


@given(old=LENGTHS, new=LENGTHS)
@examples(60)
def test_a_change_of_lengths_breaks_just_when_a_length_is_allowed_that_was_not(
    old: dict[str, int], new: dict[str, int]
) -> None:
    def allowed(options: dict[str, int]) -> set[int]:
        return set(range(options.get("minLength", 0), options.get("maxLength", 99) + 1))

    found = contract_changes(
        contract(*TIER, "logicalTypeOptions", value=old), contract(*TIER, "logicalTypeOptions", value=new)
    )

    assert (Kind.BREAKING in [change.kind for change in found]) == (not allowed(new) <= allowed(old))
