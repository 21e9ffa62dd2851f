"""Wherever segments are stored: captures, previews and runs do the same, and versions are rebuilt from what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from engine.bootstrap import open_app
from engine.delivery.stop import StopRequest
from engine.ledger.projections import versions
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.captures import capture_dataset
from engine.service.look import diff_versions, version_list
from engine.service.plans import preview_plan
from engine.service.runs import run_syncs
from tests.projects import TestProject
from tests.receiver import receiving

SYNC = "people_to_hook"
PLACES = ("folder", "file", "memory")


@contextmanager
def opened(project: TestProject, place: str) -> Iterator[App]:
    """The project with its segments in a place. A store in memory is of no use to a command, so no file names it."""
    if place == "file":
        path = project.folder / "tidegate.yaml"
        url = f"file://{project.folder / 'elsewhere'}"
        path.write_text(path.read_text().replace("storage: .tidegate/segments", f"storage: {url}"))
    app = open_app(project.folder, environment=None)
    if place == "memory":
        storage = Storage(f"memory://{project.folder.name}", scratch=app.scratch, entropy=app.tools.entropy)
        app = replace(app, tools=replace(app.tools, storage=storage))
    try:
        yield app
    finally:
        app.close()


def stored(project: TestProject, place: str) -> list[str]:
    """Paths of the segments below the storage's root, found without the engine."""
    roots = {
        "folder": str(project.folder / ".tidegate" / "segments"),
        "file": str(project.folder / "elsewhere"),
        "memory": f"memory://{project.folder.name}",
    }
    filesystem, root = fsspec.core.url_to_fs(roots[place])
    return sorted(path.removeprefix(f"{root}/") for path in filesystem.find(root) if path.endswith(".parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_project_lives_in_any_storage(tmp_path: Path, place: str) -> None:
    with receiving() as receiver:
        project = TestProject(tmp_path, receiver.url)
        project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
        with opened(project, place) as app:
            assert capture_dataset(app, "people").status == "accepted"
            assert capture_dataset(app, "people").status == "unchanged"
            preview = preview_plan(app, SYNC)
            assert (preview.plan.inserts, preview.candidate) == (2, False)
            assert run_syncs(app, [SYNC], StopRequest())[0].status == "succeeded"

            project.people({1: ("Ada L.", 1.5), 3: ("Cy", 0.5)})
            preview = preview_plan(app, SYNC)
            assert (preview.plan.inserts, preview.plan.updates, preview.plan.deletes) == (1, 1, 1)
            (report,) = run_syncs(app, [SYNC], StopRequest())
            assert (report.status, report.plan.comparison) == ("succeeded", "incremental")
            assert receiver.records == {"1": {"name": "Ada L.", "score": 1.5}, "3": {"name": "Cy", "score": 0.5}}
            assert run_syncs(app, [SYNC], StopRequest())[0].status == "unchanged"

            named = versions.listing(app.tools.database, app.dataset("people").id)
            kept = [ref.path for row in named for ref in (row.snapshot, row.changes) if ref is not None]
            assert sorted(kept) == [path for path in stored(project, place) if path.startswith("datasets/")]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_sync_goes_on_from_a_version_that_is_only_kept_as_changes(tmp_path: Path, place: str) -> None:
    with receiving() as receiver:
        project = TestProject(tmp_path, receiver.url)
        project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
        with opened(project, place) as app:
            run_syncs(app, [SYNC], StopRequest())
            project.people({1: ("Ada L.", 1.5), 2: ("Bo", None)})
            run_syncs(app, [SYNC], StopRequest())
            app.tools.storage.remove(versions.listing(app.tools.database, app.dataset("people").id)[1].snapshot)
            assert [row.snapshot_kept for row in version_list(app, "people")] == [True, False]

            found = diff_versions(app, "people", 1, 2, samples=5)
            assert (found.inserts, found.updates, found.deletes) == (0, 1, 0)
            assert [(s.before["name"], s.after["name"]) for s in found.samples] == [('"Ada"', '"Ada L."')]
            project.people({1: ("Ada L.", 1.5), 3: ("Cy", 2.5)})
            assert run_syncs(app, [SYNC], StopRequest())[0].status == "succeeded"
            assert receiver.records == {"1": {"name": "Ada L.", "score": 1.5}, "3": {"name": "Cy", "score": 2.5}}


@pytest.mark.parametrize("what", ["a whole file that no event names", "a file that was being written"])
def test_what_a_dead_capture_left_is_no_version_and_no_hindrance(tmp_path: Path, what: str) -> None:
    with receiving() as receiver:
        project = TestProject(tmp_path, receiver.url)
        project.people({1: ("Ada", 1.5)})
        folder = tmp_path / ".tidegate" / "segments" / "datasets" / "people@1" / "versions"
        folder.mkdir(parents=True)
        left = folder / "00000001-snapshot-00000000.parquet"
        if what == "a whole file that no event names":
            left.write_bytes((tmp_path / "data" / "people.parquet").read_bytes())
        else:
            left = left.with_name(f"{left.name}.writing")
            left.write_bytes(b"PAR1 half")

        with opened(project, "folder") as app:
            assert version_list(app, "people") == []
            project.people({2: ("Bo", 2.5)})
            assert run_syncs(app, [SYNC], StopRequest())[0].status == "succeeded"
            assert [(row.version, row.rows) for row in version_list(app, "people")] == [(1, 1)]
        assert receiver.records == {"2": {"name": "Bo", "score": 2.5}}
