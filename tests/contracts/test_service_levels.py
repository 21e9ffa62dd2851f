"""Service levels and status of a contract are judged, listed or refused; none is passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.contracts.status import Status
from engine.core.demands import Severity
from engine.core.promises import Latency, Lifetime

PROPERTIES = [
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    {"name": "seen", "logicalType": "timestamp"},
    {"name": "day", "logicalType": "date"},
]


def contract(*levels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "c",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "t", "physicalName": "t_1", "properties": PROPERTIES}],
        "slaProperties": list(levels),
        **more,
    }


def read(*levels: dict[str, Any], **more: Any) -> Contract:
    found = read_contract(contract(*levels, **more))
    assert isinstance(found, Contract), found
    return found


def refused(*levels: dict[str, Any], **more: Any) -> list[tuple[str, tuple[Any, ...]]]:
    found = read_contract(contract(*levels, **more))
    assert isinstance(found, InvalidContract)
    return [(finding.code, finding.path) for finding in found.findings]


LATENCY: dict[str, Any] = {"property": "latency", "value": 4, "unit": "h", "element": "t.seen"}


@pytest.mark.parametrize("name", ["latency", "Latency", "ly", "freshness"])
def test_latency_is_a_promise_about_the_newest_value_of_its_element(name: str) -> None:
    found = read({**LATENCY, "property": name})
    assert found.promises.latencies == (Latency("seen", timedelta(hours=4), "4 h"),)
    assert found.not_enforced == ()


@pytest.mark.parametrize(
    ("value", "unit", "limit"),
    [
        (90, "s", timedelta(seconds=90)),
        (5, "m", timedelta(minutes=5)),
        (5, "min", timedelta(minutes=5)),
        (1.5, "hours", timedelta(minutes=90)),
        (2, "D", timedelta(days=2)),
        (1, "w", timedelta(days=7)),
    ],
)
def test_a_unit_is_one_that_can_be_counted_exactly(value: float, unit: str, limit: timedelta) -> None:
    assert read({**LATENCY, "value": value, "unit": unit}).promises.latencies[0].limit == limit


def test_several_elements_are_several_promises_and_the_table_may_be_left_out() -> None:
    found = read({**LATENCY, "element": "seen, t_1.day"})
    assert [latency.column for latency in found.promises.latencies] == ["seen", "day"]
    assert read({**LATENCY, "element": None}, slaDefaultElement="t.day").promises.latencies[0].column == "day"


def test_a_latency_of_less_weight_says_so_in_a_property_of_tidegates_own() -> None:
    weighed = {**LATENCY, "customProperties": [{"property": "tidegate.severity", "value": "warning"}]}
    assert read(weighed).promises.latencies[0].severity is Severity.WARNING
    wrong = {**LATENCY, "customProperties": [{"property": "tidegate.severity", "value": "mild"}]}
    assert refused(wrong) == [("bad_value", ("slaProperties", 0, "customProperties", 0))]
    unknown = {**LATENCY, "customProperties": [{"property": "tidegate.serverity", "value": "info"}]}
    assert refused(unknown) == [("unknown_key", ("slaProperties", 0, "customProperties", 0))]


@pytest.mark.parametrize(
    ("change", "code", "key"),
    [
        ({"value": "four"}, "wrong_type", ("value",)),
        ({"value": 0}, "wrong_type", ("value",)),
        ({"value": True}, "wrong_type", ("value",)),
        ({"value": 10**9}, "out_of_range", ("value",)),
        ({"unit": None}, "missing_key", ()),
        ({"unit": "y"}, "bad_value", ("unit",)),
        ({"unit": "mo"}, "bad_value", ("unit",)),
        ({"element": None}, "missing_key", ()),
        ({"element": "id"}, "wrong_type", ("element",)),
        ({"element": "sean"}, "unknown_column", ("element",)),
        ({"element": "other.seen"}, "unknown_column", ("element",)),
        ({"unti": "h"}, "unknown_key", ("unti",)),
        ({"property": None}, "missing_key", ()),
    ],
)
def test_a_latency_that_cannot_be_judged_is_refused(change: dict[str, Any], code: str, key: tuple[str, ...]) -> None:
    assert refused({**LATENCY, **change}) == [(code, ("slaProperties", 0, *key))]


def test_the_dates_of_a_contracts_life_are_read() -> None:
    found = read(
        {"property": "generalAvailability", "value": "2022-05-12T09:30:10-08:00"},
        {"property": "es", "value": "2032-05-12"},
        {"property": "endoflife", "value": "2042-05-12 00:00:00"},
    )
    assert found.promises.lifetime == Lifetime(
        datetime(2022, 5, 12, 17, 30, 10, tzinfo=UTC),
        datetime(2032, 5, 12, tzinfo=UTC),
        datetime(2042, 5, 12, tzinfo=UTC),
    )


def test_a_date_that_is_none_or_there_twice_is_refused() -> None:
    assert refused({"property": "endOfSupport", "value": "soon"}) == [("wrong_type", ("slaProperties", 0, "value"))]
    twice = {"property": "endOfSupport", "value": "2032-05-12"}
    assert refused(twice, twice) == [("bad_value", ("slaProperties", 1, "property"))]


@pytest.mark.parametrize(
    "name", ["frequency", "availability", "throughput", "errorRate", "timeToRepair", "timeOfAvailability", "ourOwn"]
)
def test_what_a_service_promises_is_listed(name: str) -> None:
    assert read({"property": name, "value": 1, "unit": "d"}).not_enforced == (f"the service level `{name}`",)


def test_retention_is_listed_beside_the_key_that_is_served() -> None:
    (said,) = read({"property": "retention", "value": 3, "unit": "y", "element": "t.seen"}).not_enforced
    assert "`retain` of the dataset" in said


@pytest.mark.parametrize("status", ["proposed", "draft", "active", "deprecated"])
def test_a_status_is_known(status: str) -> None:
    assert read(status=status).status is Status(status)


@pytest.mark.parametrize(("status", "code"), [(None, "missing_key"), ("", "missing_key"), ("Active", "bad_value")])
def test_a_status_that_is_unknown_or_over_is_refused(status: str | None, code: str) -> None:
    assert refused(status=status) == [(code, ("status",))]
