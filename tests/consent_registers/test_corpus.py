"""Registers of consent as they come (RELIABILITY 4.4): each leads to just what is written beside it, and fails closed."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from tests.acceptance.test_consent import REGISTER
from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
PEOPLE = ("1", "2", "3", "é")
CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def with_people(project: TestProject) -> None:
    contract = deepcopy(CONTRACT)
    contract["schema"][0]["properties"][0]["logicalType"] = "string"
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.data(pa.table({"id": PEOPLE, "name": PEOPLE, "score": pa.array([1.0] * len(PEOPLE))}))
    project.sync(SYNC, consent={"purpose": "email", "subject": "id"})


def written(case: dict[str, Any], path: Path) -> Path:
    if "text" in case:
        path.write_bytes(bytes.fromhex(case.get("bytes", "")) + case["text"].encode())
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_import_counts_for_what_is_written(project: TestProject, receiver: Receiver, case: dict[str, Any]) -> None:
    expected = case["import"]

    ended = project.run("consent", "import", str(written(case, project.folder / "list.csv")))

    said = " ".join((ended.out + ended.err).split())
    assert (ended.code, expected.get("says", "") in said) == (expected["code"], True), ended
    assert "Traceback" not in said
    project.report()
    wanted = expected.get("grants", case.get("grants", [])) if expected["code"] == 0 else []
    assert sorted(receiver.records) == sorted(wanted)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_register_counts_for_what_is_written(project: TestProject, receiver: Receiver, case: dict[str, Any]) -> None:
    header = case.get("text", "").partition("\n")[0].strip().split(",")
    register = deepcopy(REGISTER)
    optional = [
        {"name": name, "logicalType": "timestamp" if name.endswith("_at") else "string"}
        for name in ("channel", "collected_at", "expires_at")
        if name in header
    ]
    key = {"name": "receipt_id", "logicalType": "string", "primaryKey": True, "required": True}
    words = [{"name": name, "logicalType": "string", "required": True} for name in ("subject", "purpose", "status")]
    register["schema"][0]["properties"] = [key, *words, *optional]
    project.write("contracts/register-v1.odcs.yaml", register)
    source = {"connection": "lake", "table": "register.csv"}
    files = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml", "source": source}
    project.write("datasets/register.yaml", files)
    written(case, project.folder / "data" / "register.csv")

    report = project.report()

    assert "Traceback" not in report["reason"]
    expected = case.get("register")
    if expected is not None:
        assert (report["status"], report["requests"], receiver.records) == (expected, 0, {})
    assert sorted(receiver.records) == sorted(case.get("grants", []))
