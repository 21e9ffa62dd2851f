"""`tidegate contract diff`: what breaks, whom it concerns, and whether the version says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.door import tidegate
from tests.projects import TestProject


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return TestProject(tmp_path, "http://127.0.0.1:9/batch")


def changed(project: TestProject, tmp_path: Path, *, version: str, without: str) -> tuple[Path, Path]:
    """The project's contract as it was, and as it is without a column."""
    (now,) = (project.folder / "contracts").glob("*.yaml")
    old = tmp_path / "before.yaml"
    old.write_text(now.read_text())
    data = yaml.safe_load(now.read_text())
    table = data["schema"][0]
    table["properties"] = [column for column in table["properties"] if column["name"] != without]
    now.write_text(yaml.safe_dump({**data, "version": version}))
    return old, now


def test_a_column_that_a_sync_maps_is_not_taken_away_under_the_same_major(
    project: TestProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = changed(project, tmp_path, version="1.9.0", without="score")

    told = tidegate(capsys, "--project", str(project.folder), "--json", "contract", "diff", str(old), str(new))

    assert told.code == 2
    assert (told.document["bump"], told.document["covered"]) == ("major", False)
    (change,) = told.document["changes"]
    assert (change["kind"], change["what"]) == ("breaking", "column score")
    (sync,) = told.document["concerned"]
    assert (sync["sync"], sync["destination"], sync["columns"]) == ("people_to_hook", "hook", ["score"])

    told = tidegate(capsys, "--project", str(project.folder), "contract", "diff", str(old), str(new))
    assert "people_to_hook" in told.out
    assert "raise the major number of `version`" in told.out


def test_a_new_major_covers_what_breaks(
    project: TestProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = changed(project, tmp_path, version="2.0.0", without="score")

    assert tidegate(capsys, "contract", "diff", str(old), str(new)).code == 0


def test_contracts_are_compared_without_a_project_and_a_bad_one_is_told_by_line(
    project: TestProject,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = changed(project, tmp_path, version="1.9.0", without="score")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    told = tidegate(capsys, "--json", "contract", "diff", str(old), str(new))
    assert (told.code, told.document["concerned"]) == (2, [])

    new.write_text("kind: DataContract\n")
    told = tidegate(capsys, "contract", "diff", str(old), str(new))
    assert told.code == 2
    assert "`version` is missing" in told.out + told.err
