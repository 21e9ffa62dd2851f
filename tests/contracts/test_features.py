"""Every feature of the standard is read, or refused by name: contracts that use all of them, and ones that use too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.locate import read_document
from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.core.demands import Metric, Operator, Severity, Unit
from engine.core.value_rules import Format

FEATURES = Path(__file__).parent / "features"


def read(path: Path) -> Contract | InvalidContract:
    return read_contract(read_document(path.name, path.read_bytes()).data)


def accepted(name: str) -> Contract:
    found = read(FEATURES / "read" / f"{name}.odcs.yaml")
    assert isinstance(found, Contract), found
    return found


def test_what_only_describes_is_left_alone_and_relations_are_listed() -> None:
    found = accepted("describing")
    assert found.not_enforced == ("relationships of visits", "relationships of berth")
    assert (found.major, found.schema.key, found.demands.values) == (2, ("visit",), ())


def test_every_option_of_every_type_is_judged_or_listed() -> None:
    found = accepted("every_option")
    ruled = {(rule.column, rule.option) for rule in found.demands.values}
    assert len(ruled) == len(found.demands.values) == 28
    assert {rule.demand for rule in found.demands.values if isinstance(rule.demand, Format)} == set(Format)
    assert found.not_enforced == (
        "`format: password` of secret",
        "`format: binary` of raw",
        "`timezone: true` of taken_there",
        "`defaultTimezone` of taken_there, whose values say their own zone,",
    )


def test_every_metric_operator_unit_and_severity_is_judged() -> None:
    demands = accepted("every_rule").demands
    assert {rule.metric for rule in demands.rules} == set(Metric)
    used = {rule.threshold.operator for rule in (*demands.rules, *demands.queries)}
    assert used == set(Operator)
    assert {rule.unit for rule in demands.rules} == set(Unit)
    assert {rule.severity for rule in demands.rules} == set(Severity)
    assert len(demands.queries) == 2
    assert [name.split()[1] for name in accepted("every_rule").not_enforced] == ["quality", "quality"]


def test_every_service_level_is_judged_or_listed() -> None:
    found = accepted("service_levels")
    assert len(found.promises.latencies) == 2
    assert None not in (
        found.promises.lifetime.general_availability,
        found.promises.lifetime.end_of_support,
        found.promises.lifetime.end_of_life,
    )
    assert len(found.not_enforced) == 9


@pytest.mark.parametrize("path", sorted((FEATURES / "refused").iterdir()), ids=lambda path: path.name)
def test_what_is_not_supported_is_refused_by_name(path: Path) -> None:
    found = read(path)
    assert isinstance(found, InvalidContract)
    first, *words = path.read_text().partition("\n")[0].removeprefix("# refused: ").split()
    expected = sorted(zip([first, *words[1::2]], words[::2], strict=True))
    assert sorted((f.code, ".".join(map(str, f.path))) for f in found.findings) == expected
