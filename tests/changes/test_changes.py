"""Bad versions and deltas get exactly the declared action and send what they may; harmless ones pass and arrive.

Each case of ``cases/`` starts from a project that was delivered once, changes what it names, runs again, and says what must
come of it: the run's status, exit code and words, the verdict of one check as it stands in the ledger, and how many records
arrived. ``state`` is what the destination must hold in the end: ``as_before``, or a number of records. Where something
happens while the run is sending, ``never`` names the records that must not be sent from then on, and nothing is counted.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.changes.bases import BASES, Base, CorpusProject, made
from tests.changes.steps import changed, while_sending
from tests.receiver import Receiver, receiving

HERE = Path(__file__).parent
EVERY = 20 if os.environ.get("TIDEGATE_TEST_EXAMPLES", "1") == "1" else 1
"""One case in so many runs in a quick check, and each one in a slow check or when more examples are asked for."""


def cases(kind: str) -> list[dict[str, Any]]:
    """All cases of one file, as they are written."""
    read: list[dict[str, Any]] = yaml.safe_load((HERE / "cases" / f"{kind}.yaml").read_text())
    return read


KINDS = ("data", "contracts", "quarantine", "gates", "consent", "projects", "harmless")
CASES = [(kind, case) for kind in KINDS for case in cases(kind)]


def _marked() -> Iterator[Any]:
    for place, (kind, case) in enumerate(CASES):
        marks = [] if place % EVERY == 0 else [pytest.mark.slow]
        yield pytest.param(case, id=f"{kind}: {case['name']}", marks=marks)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> dict[str, Base]:
    """Made when first asked for, so that a slice pays for what it uses."""

    class Lazy(dict[str, Base]):
        def __missing__(self, name: str) -> Base:
            self[name] = made(name, tmp_path_factory.mktemp("base") / name, receiver)
            return self[name]

    return Lazy()


def test_the_corpus_is_as_large_as_was_promised() -> None:
    bad = [case for kind, case in CASES if kind != "harmless"]
    assert len(bad) >= 60
    assert len(cases("harmless")) >= 40
    assert len({case["name"] for _, case in CASES}) == len(CASES)
    assert {case.get("base", "plain") for _, case in CASES} <= set(BASES)


@pytest.mark.parametrize("case", list(_marked()))
def test_each_case_gets_the_action_that_was_declared(
    case: dict[str, Any], bases: dict[str, Base], receiver: Receiver, tmp_path: Path
) -> None:
    base = bases[case.get("base", "plain")]
    project = base.copied(tmp_path / "project", receiver)
    before = _last(project)
    changed(project, case)
    expected = case["expect"]

    receiver.answer = while_sending(project, receiver, case)

    outcome = project.run("--json", "run", "customers_to_hook")

    said = outcome.out + outcome.err
    assert outcome.code == expected.get("exit", 0), said
    report = _report(outcome.out)
    assert report.get("status", "refused") == expected["status"], said
    for words in _listed(expected.get("says", [])):
        assert words in said
    verdicts = _verdicts(project, before)
    if check := expected.get("check"):
        assert verdicts.get(check) == expected["action"], verdicts
    if "check" not in expected and expected["status"] in {"succeeded", "unchanged"}:
        assert set(verdicts.values()) <= {"pass"}, verdicts
    arrived = [record for call in receiver.journal for record in call.records]
    upserted = {record["id"] for record in arrived if record["op"] != "delete"}
    assert upserted.isdisjoint(map(str, expected.get("never", ())))
    if "never" in expected:
        return
    assert len(arrived) == expected.get("sent", 0), said
    if expected.get("state", "as_before") == "as_before":
        assert receiver.records == base.records
    else:
        assert len(receiver.records) == expected["state"]


def _listed(words: str | list[str]) -> list[str]:
    return [words] if isinstance(words, str) else words


def _report(out: str) -> dict[str, Any]:
    if not out.strip():
        return {}
    found = json.loads(out)
    return found[0] if isinstance(found, list) and found else {}


def _last(project: CorpusProject) -> int:
    with sqlite3.connect(project.folder / ".tidegate/ledger.db") as ledger:
        return int(ledger.execute("SELECT max(seq) FROM event").fetchone()[0])


def _verdicts(project: CorpusProject, after: int) -> dict[str, str]:
    """The heaviest verdict of each check that was recorded after an event."""
    weights = ["pass", "warn", "quarantine", "hold", "block"]
    found: dict[str, str] = {}
    with sqlite3.connect(project.folder / ".tidegate/ledger.db") as ledger:
        rows = ledger.execute("SELECT data FROM event WHERE seq > ?", (after,)).fetchall()
    for (data,) in rows:
        for result in json.loads(data).get("checks") or ():
            known = found.get(result["check"], "pass")
            found[result["check"]] = max(known, result["verdict"], key=weights.index)
    return found
