"""Measure what judging a candidate costs against reading it: 12 columns, every kind of check, 20 quality rules.

`scripts/bench/gates.py --rows 1000000 [--repeat 3] [--memory 1GB]`. Each capture is a process of its own, which takes
both times from its own clock: what is spent on checks, and all else that a capture does. Medians are shown, with the
range.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from data import write_versions
from project import write_project

HERE = Path(__file__).parent
CAPTURE = """
import json, sys, time
from pathlib import Path
from engine.bootstrap import open_app
from engine.steps.anchors import check_anchors
from engine.steps.capture import capture
app = open_app(Path(sys.argv[1]), environment=None)
dataset = app.dataset("customers")
check_anchors(app.tools)
began = time.perf_counter()
found = capture(app.tools, dataset)
total = time.perf_counter() - began
checks = [c.verdict for c in getattr(found, "checks", ())]
print(json.dumps({"what": type(found).__name__, "total": total, "gate": found.gate_seconds, "checks": checks}))
"""

RULES: dict[str, list[dict[str, object]]] = {
    "customer_id": [
        {"metric": "nullValues", "mustBe": 0},
        {"metric": "duplicateValues", "mustBe": 0},
    ],
    "email": [
        {"metric": "nullValues", "mustBeLessThan": 1, "unit": "percent"},
        {"metric": "missingValues", "arguments": {"missingValues": ["", "n/a", "none"]}, "mustBe": 0},
        {"metric": "invalidValues", "arguments": {"pattern": "^[^@ ]+@[^@ ]+$"}, "mustBe": 0},
        {"metric": "duplicateValues", "mustBeLessThan": 1, "unit": "percent"},
    ],
    "first_name": [{"metric": "missingValues", "arguments": {"missingValues": ["", None]}, "mustBe": 0}],
    "last_name": [{"metric": "missingValues", "arguments": {"missingValues": ["", None]}, "mustBe": 0}],
    "phone": [
        {"metric": "invalidValues", "arguments": {"pattern": "^\\+[0-9]{7,15}$"}, "mustBe": 0},
        {"metric": "duplicateValues", "mustBeLessThan": 5, "unit": "percent"},
    ],
    "country": [
        {"metric": "invalidValues", "arguments": {"validValues": ["GB", "DE", "FR", "US", "NL"]}, "mustBe": 0},
        {"metric": "nullValues", "mustBe": 0},
    ],
    "city": [{"metric": "nullValues", "mustBeLessOrEqualTo": 5, "unit": "percent"}],
    "lifetime_value": [{"metric": "nullValues", "mustBe": 0}],
    "orders": [{"metric": "nullValues", "mustBe": 0}],
    "signup_date": [{"metric": "nullValues", "mustBe": 0}],
    "last_seen": [{"metric": "nullValues", "mustBe": 0}],
    "opted_in": [{"metric": "invalidValues", "arguments": {"validValues": [True, False]}, "mustBe": 0}],
}
ON_TABLE = [
    {"metric": "rowCount", "mustBeBetween": [1, 10**9]},
    {"metric": "duplicateValues", "arguments": {"properties": ["email", "phone"]}, "mustBe": 0},
]
GATES = {
    "identifiers": ["customer_id", "email"],
    "gates": {
        "rows": {"min": 1, "max_change": 0.3, "history": {"versions": 10, "mad": 5}},
        "identifiers": {
            "max_null_increase": 0.02,
            "max_duplicate_increase": 0.01,
            "max_distinct_change": 0.3,
            "min_match_rate": 0.8,
            "max_rekeyed": 0.1,
        },
        "values": {"columns": ["country", "city"], "max_new": 0.01},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="1GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        first, second = home / "v1.parquet", home / "v2.parquet"
        write_versions(options.rows, first, second)
        project = home / "project"
        write_project(project, port=9, memory=options.memory)
        rules = _demand(project)
        rounds = [_round(project, first, second) for _ in range(options.repeat)]
    print(f"{options.rows:,} rows x 12 columns, {rules} quality rules, compute.memory {options.memory}")
    for index, name in enumerate(("first version", "second version", "refused")):
        found = [r[index] for r in rounds]
        assert all(f["what"] == ("Blocked" if name == "refused" else "Accepted") for f in found), found
        rest = [f["total"] - f["gate"] for f in found]
        ratio = statistics.median(f["gate"] / r for f, r in zip(found, rest, strict=True))
        gate = [f["gate"] for f in found]
        print(f"{name}: capture {_spread(rest)} s, all gates {_spread(gate)} s, {ratio:.2f} times the capture")


def _demand(project: Path) -> int:
    """Add the rules to the contract and the gates to the dataset; returns how many rules there are."""
    path = project / "contracts" / "customers-v1.odcs.yaml"
    contract = yaml.safe_load(path.read_text(encoding="utf-8"))
    (table,) = contract["schema"]
    for column in table["properties"]:
        column["quality"] = RULES[column["name"]]
    table["quality"] = ON_TABLE
    path.write_text(yaml.safe_dump(contract), encoding="utf-8")
    path = project / "datasets" / "customers.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **GATES}), encoding="utf-8")
    return len(ON_TABLE) + sum(map(len, RULES.values()))


def _round(project: Path, first: Path, second: Path) -> list[dict[str, float]]:
    shutil.rmtree(project / ".tidegate", ignore_errors=True)
    accepted = [_capture(project, source) for source in (first, second)]
    return [*accepted, _refused(project, first)]


def _refused(project: Path, source: Path) -> dict[str, float]:
    """The capture of a candidate that breaks most rules in most rows, of which some are kept to be looked at."""
    path = project / "contracts" / "customers-v1.odcs.yaml"
    before = path.read_text(encoding="utf-8")
    contract = yaml.safe_load(before)
    for column in contract["schema"][0]["properties"]:
        if column["logicalType"] == "string":
            column["quality"] += [{"metric": "invalidValues", "arguments": {"validValues": ["none"]}, "mustBe": 0}]
    path.write_text(yaml.safe_dump(contract), encoding="utf-8")
    try:
        return _capture(project, source)
    finally:
        path.write_text(before, encoding="utf-8")


def _capture(project: Path, source: Path) -> dict[str, float]:
    shutil.copyfile(source, project / "data" / "customers.parquet")
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    command = [sys.executable, "-c", CAPTURE, str(project)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
