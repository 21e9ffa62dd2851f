"""What an author of an adapter is given: a scaffold that passes, a page that is true, and a report."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from destinations.registry import ADAPTERS
from destinations.testing.runner import suite_of
from engine.service.new_adapter import adapter_files
from tests.cli.door import ROOT, Ended, tidegate
from tests.conformance.authorised import AcmeWithLogin, LoginConfig
from tests.conformance.bulk import AcmeBulk

PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")


def installed(folder: Path, name: str, *, suite: bool = True, spoil: tuple[str, str] = ("", "")) -> Path:
    """A folder for the import path in which the scaffold stands as pip would have put it there."""
    for path, text in adapter_files(name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace(*spoil) if spoil[0] else text)
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    if not suite:
        del points["tidegate.conformance"]
    about = folder / f"tidegate_{name}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tidegate-{name}\nVersion: 0.1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in named.items()) for group, named in points.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return folder


def judged(name: str, place: Path, *options: str) -> Ended:
    """`tidegate destination test` where ``place`` is on the import path."""
    done = subprocess.run(
        [sys.executable, "-m", "engine.faces.cli", "destination", "test", name, *options],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=place,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), str(place)])},
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_a_new_adapter_passes_its_suite_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tidegate(capsys, "destination", "new", "my_crm", str(tmp_path / "crm"))

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "crm",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert written.code == 0
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout
    assert "failed" not in run.stdout


def test_a_new_adapter_never_overwrites_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "pyproject.toml"
    mine.write_text("mine")

    ended = tidegate(capsys, "destination", "new", "acme", str(tmp_path))

    assert ended.code == 2
    assert mine.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize("name", ["webhook", "Acme", "my-crm", "import", "../acme", "a", "1st"])
def test_a_name_that_cannot_be_an_adapters_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    ended = tidegate(capsys, "destination", "new", name, str(tmp_path))

    assert ended.code == 2
    assert "Nothing was written." in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_what_the_scaffold_writes() -> None:
    shown = re.findall(r"```\w+\n(.*?)```", PAGE, re.DOTALL)
    files = adapter_files("acme")

    assert shown[:3] == [files[f"tidegate_acme/{name}.py"] for name in ("__init__", "test_acme")] + [
        files["pyproject.toml"]
    ]
    login = f"{inspect.getsource(LoginConfig)}\n\n{inspect.getsource(AcmeWithLogin)}"
    assert shown[3:] == [login, inspect.getsource(AcmeBulk)], "examples that pass their suites too"
    assert sum(1 for code in shown[:2] for line in code.splitlines() if line.strip()) < 60


@pytest.mark.slow
def test_an_installed_adapter_of_others_is_judged_by_its_name(tmp_path: Path) -> None:
    report = judged("acme", installed(tmp_path, "acme"), "--json").document

    assert report["adapter"] == "acme"
    assert report["failed"] == 0
    assert report["passed"] > 40
    assert all(check["why"] for check in report["checks"] if check["ended"] == "skipped")


@pytest.mark.slow
def test_a_check_that_fails_is_named_and_the_command_says_so(tmp_path: Path) -> None:
    place = installed(tmp_path, "acme", spoil=('"{:f}".format', "lambda number: str(float(number))"))

    ended = judged("acme", place)

    assert ended.code == 1
    assert re.search(r"values arrive as they are +decimal +failed", ended.out)
    assert re.search(r"acme: \d+ passed, \d+ skipped, 1 failed", ended.out)


@pytest.mark.slow
def test_a_suite_that_cannot_be_read_has_not_passed(tmp_path: Path) -> None:
    ended = judged("acme", installed(tmp_path, "acme", spoil=("import httpx\n\nfrom", "import no_such_module\n\nfrom")))

    assert ended.code == 1


@pytest.mark.slow
def test_a_suite_in_which_nothing_ran_has_not_passed(tmp_path: Path) -> None:
    ended = judged("acme", installed(tmp_path, "acme", spoil=("class TestAcme(Conformance)", "class TestAcme")))

    assert ended.code == 1
    assert "No check of the conformance suite" in ended.err


@pytest.mark.slow
def test_an_adapter_without_a_suite_is_told_how_to_bring_one(tmp_path: Path) -> None:
    ended = judged("acme", installed(tmp_path, "acme", suite=False))

    assert ended.code == 2
    assert "tidegate.conformance" in ended.err


@pytest.mark.slow
def test_an_adapter_of_ours_is_judged_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    ended = tidegate(capsys, "destination", "test", "webhook")

    assert ended.code == 0
    assert re.search(r"webhook: \d+ passed, \d+ skipped, 0 failed", ended.out)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_adapter_of_ours_has_a_suite_of_its_own(name: str) -> None:
    module, _, suite = (suite_of(name) or "").partition("::")
    members = vars(import_module(module))
    suites = [members[suite]] if suite else [member for name, member in members.items() if name.startswith("Test")]

    assert {member.adapter.spec.name for member in suites} == {name}


def test_an_adapter_that_is_not_there_is_told_apart_from_one_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    ended = tidegate(capsys, "destination", "test", "webhok")

    assert ended.code == 2
    assert "did you mean `webhook`?" in ended.err


def test_without_pytest_the_command_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.service.conformance.find_spec", lambda _name: None)

    ended = tidegate(capsys, "destination", "test", "webhook")

    assert ended.code == 2
    assert "tidegate[testing]" in ended.err


@pytest.mark.slow
def test_the_plugin_that_pytest_is_told_of_makes_failures_readable(tmp_path: Path) -> None:
    """Checks that fail show both sides, although they stand in an installed package."""
    (plugin,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"].values()
    (tmp_path / "test_acme.py").write_text(
        "from destinations.testing.example.test_acme import TestAcme as Base\n"
        "class TestAcme(Base):\n    def stored(self, kind, value):\n        return value\n"
    )

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", plugin, "-p", "no:cacheprovider", "-k", "decimal"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 1
    assert "holds '0.1' where Decimal('0.1') was sent" in run.stdout
    assert "where False = same(" in run.stdout
