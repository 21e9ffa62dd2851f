"""`tidegate demo`, from the outside: what it tells is what set arithmetic over its data says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.demo.generate import shop
from destinations.registry import names
from engine.faces.cli.sandbox import PORT
from engine.service.demo import SYNC
from engine.service.scaffold import init, project_files
from tests.demo.arithmetic import Contacts, Expected, afterwards, contacts, expected

ROOT = Path(__file__).resolve().parents[2]
COUNTS = ("inserts", "updates", "deletes")


@dataclass(frozen=True)
class Demo:
    """One demo that was run as a command, and what arithmetic says of it."""

    folder: Path
    report: dict[str, Any]
    told: str
    first: Expected
    second: Expected
    contacts: Contacts


def tidegate(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.faces.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module", autouse=True)
def importable() -> Any:
    """The checkout on the path of child processes, wherever they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@pytest.fixture(scope="module")
def demo(importable: None, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "a shop"
    result = tidegate("--json", "demo", str(folder), cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    now = datetime.now(UTC)
    before, after = contacts(shop(1), now), contacts(shop(2), now)
    return Demo(
        folder=folder,
        report=json.loads(result.stdout),
        told=result.stderr,
        first=expected({}, before, len(shop(1).customers)),
        second=expected(before, after, len(shop(2).customers)),
        contacts=afterwards(before, after),
    )


def test_the_demo_tells_what_set_arithmetic_over_the_data_says(demo: Demo) -> None:
    for report, counts in ((demo.report["first"], demo.first), (demo.report["second"], demo.second)):
        assert {name: report["plan"][name] for name in asdict(counts)} == asdict(counts)
        assert report["delivered"] == {name: asdict(counts)[name] for name in COUNTS}
        line = (
            f"{counts.inserts:,} contacts inserted, {counts.updates:,} updated, {counts.deletes:,} deleted, "
            f"{counts.unchanged:,} left alone"
        )
        assert line in demo.told


def test_the_plan_that_is_shown_is_the_plan_that_is_sent(demo: Demo) -> None:
    assert demo.report["preview"]["plan"] == demo.report["second"]["plan"]


def test_the_third_run_is_unchanged_and_sends_nothing(demo: Demo) -> None:
    assert (demo.report["third"]["status"], demo.report["third"]["requests"]) == ("unchanged", 0)


def test_the_sandbox_holds_one_contact_for_each_customer_who_agrees(demo: Demo) -> None:
    assert demo.report["contacts"] == len(demo.contacts)
    assert f"the CRM holds {len(demo.contacts):,} contacts" in demo.told


def test_no_personal_value_is_told(demo: Demo) -> None:
    names = {customer.last_name for customer in shop(2).customers if customer.last_name}

    assert "@" not in demo.told.replace("customers@", "")
    assert [name for name in names if name in demo.told] == []


def test_the_project_that_a_demo_leaves_can_be_looked_at(demo: Demo) -> None:
    (status,) = json.loads(tidegate("--json", "status", cwd=demo.folder).stdout)
    versions = json.loads(tidegate("--json", "versions", "customers", cwd=demo.folder).stdout)
    commands = re.findall(r"^   tidegate (.*)$", demo.told, re.MULTILINE)

    assert (status["held"], status["delivered_version"]) == (len(demo.contacts), 2)
    assert [version["rows"] for version in versions] == [len(shop(version).customers) for version in (1, 2)]
    assert len(commands) >= 4
    assert {command: tidegate(*command.split(), cwd=demo.folder).returncode for command in commands} == dict.fromkeys(
        commands, 0
    )


def test_the_crm_of_a_demo_is_served_again_with_all_that_it_holds(demo: Demo) -> None:
    file = (demo.folder / "destinations" / "crm.yaml").read_text()
    command = [sys.executable, "-m", "engine.faces.cli", "sandbox", "--port", "0"]
    with subprocess.Popen(command, cwd=demo.folder, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        (address,) = re.findall(r"http://127\.0\.0\.1:[0-9]+", sandbox.stdout.readline())
        held = httpx.get(f"{address}/objects/contacts", trust_env=False).json()
        sandbox.terminate()

    assert "`tidegate sandbox` in that folder serves it again" in demo.told
    assert f'url: "http://127.0.0.1:{PORT}"' in file, "where `tidegate sandbox` serves by itself"
    assert len(held) == len(demo.contacts)


def test_the_readme_shows_what_the_demo_tells(demo: Demo) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(.*?)```", readme, re.DOTALL)

    assert [line for line in shown.splitlines() if line not in demo.told.splitlines()] == []


def test_a_demo_is_written_anew_over_an_earlier_one_and_over_nothing_else(demo: Demo, tmp_path: Path) -> None:
    again = tidegate("demo", str(demo.folder), cwd=tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    refused = tidegate("demo", "mine", cwd=tmp_path)

    assert again.returncode == 0, again.stderr
    assert refused.returncode == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_new_project_is_valid_as_it_stands_and_never_written_over_files(tmp_path: Path) -> None:
    written = init(tmp_path)
    valid = tidegate("validate", "--connect", cwd=tmp_path)
    again = tidegate("init", cwd=tmp_path)

    assert {path.relative_to(tmp_path).as_posix() for path in written} > set(project_files())
    assert all(path.is_file() for path in written)
    assert valid.returncode == 0, valid.stdout
    assert again.returncode == 2
    assert SYNC in (tmp_path / "syncs" / f"{SYNC}.yaml").read_text()


def test_schemas_are_written_for_every_kind_of_file_and_every_adapter(tmp_path: Path) -> None:
    result = tidegate("schema", "made", cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    kinds = {path.name.removesuffix(".schema.json") for path in (tmp_path / "made").iterdir()}
    assert kinds == {"tidegate", "dataset", "destination", "sync", *(f"config.{name}" for name in names())}
    assert all(json.loads(path.read_text())["type"] == "object" for path in (tmp_path / "made").iterdir())
