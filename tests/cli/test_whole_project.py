"""Every command on a real project: files, SQLite, DuckDB and a destination over loopback."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.door import Ended, tidegate
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

Call = Callable[..., Ended]
SYNC = "people_to_hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> TestProject:
    for name in [n for n in os.environ if n.startswith("TIDEGATE_")]:
        monkeypatch.delenv(name)
    made = TestProject(tmp_path, receiver.url)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    return made


@pytest.fixture
def call(project: TestProject, capsys: pytest.CaptureFixture[str]) -> Call:
    return lambda *arguments: tidegate(capsys, *arguments, "--project", str(project.folder))


def rejecting(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    results = [
        {"id": r["id"], "status": "rejected" if r["id"] == "2" else "delivered", "code": "bad", "message": "no"}
        for r in body["records"]
    ]
    return 200, {"content-type": "application/json"}, json.dumps({"results": results}).encode()


@pytest.mark.slow
def test_a_project_is_checked_planned_run_and_looked_at(call: Call, project: TestProject, receiver: Receiver) -> None:
    assert call("validate").out == "Valid: 1 dataset, 1 sync, 1 destination\n"
    assert call("capture", "people", "--json").document["status"] == "accepted"
    assert call("capture", "people").out.startswith("people@1  unchanged  version 1\n")

    preview = call("plan", SYNC, "--json")
    assert (preview.code, preview.document["plan"]["inserts"], receiver.requests) == (0, 3, 0)
    shown = call("plan", SYNC)
    assert "+ 3 inserts, ~ 0 updates, - 0 deletes" in shown.out
    assert shown.out.endswith(f"Next: tidegate run {SYNC}\n")

    ended = call("run", SYNC, "--json")
    assert (ended.code, ended.err) == (0, "")
    (report,) = ended.document
    assert (report["sync"], report["status"], report["delivered"]["inserts"]) == (SYNC, "succeeded", 3)
    assert len(receiver.records) == 3

    project.people({1: ("Ada", 2.5), 2: ("Bo", None)})
    told = call("run", "--all")
    assert told.code == 0
    assert "+0 ~1 -1" in told.out
    assert (told.err, "\x1b" in told.out) == ("", False)

    assert [s["held"] for s in call("status", "--json").document] == [2]
    assert [r["status"] for r in call("runs", SYNC, "--json").document] == ["succeeded", "succeeded"]
    assert [v["rows"] for v in call("versions", "people", "--json").document] == [3, 2]
    difference = call("diff", "people", "1", "2", "--json").document
    assert (difference["inserts"], difference["updates"], difference["deletes"]) == (0, 1, 1)
    assert call("show", SYNC, "--key", "1", "--json").document["holds"] is True
    for look in (("status", SYNC), ("runs", SYNC), ("versions", "people"), ("diff", "people", "1", "2")):
        assert call(*look).code == 0
    assert "score" in call("show", SYNC, "--key", "1").out


def test_the_ledger_is_read_verified_rebuilt_and_upgraded(call: Call, project: TestProject) -> None:
    call("run", SYNC)
    events = call("ledger", "tail", "--limit", "5", "--json").document
    assert [e["sequence"] for e in events] == sorted(e["sequence"] for e in events)
    assert "run.finished" in call("ledger", "tail").out
    assert call("ledger", "--json", "verify").document["ok"] is True
    assert call("ledger", "rebuild").code == 0
    assert "is current" in call("db", "upgrade").out

    with sqlite3.connect(project.folder / ".tidegate" / "ledger.db") as database:
        triggers = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for trigger in triggers:
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute("UPDATE event SET actor = 'somebody else' WHERE seq = 2")
    database.close()
    broken = call("ledger", "verify", "--json")
    assert (broken.code, broken.document["ok"], broken.document["sequence"]) == (1, False, 2)
    assert "The ledger is broken: event 2" in call("ledger", "verify").out


def test_what_a_gate_blocks_ends_with_3(call: Call, project: TestProject, receiver: Receiver) -> None:
    project.people({})
    for command in (("capture", "people"), ("plan", SYNC), ("run", SYNC)):
        ended = call(*command, "--json")
        assert ended.code == 3, command
        assert ended.document
        assert call(*command).out
    assert receiver.requests == 0


def test_a_rejected_record_ends_the_run_with_5_and_says_how_many(
    call: Call, project: TestProject, receiver: Receiver
) -> None:
    receiver.answer = rejecting
    ended = call("run", SYNC)
    assert ended.code == 5
    assert "1 rejected of 3 records" in ended.out
    assert call("status", "--json").document[0]["owed"] == 1


def test_destinations_are_listed_and_checked(call: Call, project: TestProject) -> None:
    assert [d["type"] for d in call("destination", "list", "--json").document] == ["webhook"]
    assert "hook" in call("destination", "list").out
    assert "webhook" in call("destination", "adapters").out
    assert call("destination", "describe", "sql", "--json").document["match"] == "any field, or several together"
    assert "did you mean `webhook`?" in call("destination", "describe", "webhok").err
    checked = call("destination", "check", "--json")
    assert [c["name"] for c in checked.document] == ["hook"]
    assert checked.code == (0 if checked.document[0]["ok"] else 1)
    assert call("destination", "check", "hok").code == 2


def test_an_unknown_sync_or_dataset_is_answered_with_the_nearest(call: Call, project: TestProject) -> None:
    for command in (("run", "people_to_hok"), ("plan", "people_to_hok"), ("status", "people_to_hok")):
        ended = call(*command, "--json")
        assert ended.code == 2, command
        assert ended.document["error"]["code"] == "configuration"
        assert f"did you mean `{SYNC}`?" in ended.err
    assert "did you mean `people" in call("capture", "peple").err


def test_a_broken_file_is_named_with_its_line_by_every_command(call: Call, project: TestProject) -> None:
    path = project.folder / "syncs" / f"{SYNC}.yaml"
    written = yaml.safe_load(path.read_text())
    project.write(f"syncs/{SYNC}.yaml", {**written, "mode": "mirorr"})
    validated = call("validate")
    assert validated.code == 2
    assert f"syncs/{SYNC}.yaml:5: " in validated.out
    assert validated.out.endswith("1 problem\n")
    (problem,) = call("validate", "--json").document["problems"]
    assert (problem["file"], problem["line"]) == (f"syncs/{SYNC}.yaml", 5)
    for command in ("status", "run"):
        ended = call(command, SYNC, "--json")
        assert ended.code == 2
        assert ended.document["error"]["code"] == "invalid_project"
        assert f"syncs/{SYNC}.yaml:5: " in ended.err


def test_a_secret_is_in_no_output(
    call: Call, project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    monkeypatch.setenv("HOOK_SECRET", secret)
    monkeypatch.setenv("TIDEGATE_LOG_LEVEL", "debug")
    project.write(
        "destinations/hook.yaml",
        {"name": "hook", "type": "webhook", "config": {"url": receiver.url, "secret": "${env:HOOK_SECRET}"}},
    )
    receiver.answer = lambda _body: (400, {}, f"the secret {secret} is not known".encode())
    for command in (("run", SYNC, "--debug"), ("runs", SYNC), ("ledger", "tail"), ("destination", "check")):
        ended = call(*command)
        assert "c2VjcmV0" not in ended.out + ended.err, command


def test_init_writes_a_project_that_is_valid_and_schema_its_schemas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tidegate(capsys, "init", str(tmp_path / "new"))
    assert written.code == 0
    assert written.out.endswith("Next: tidegate validate\n")
    assert tidegate(capsys, "init", str(tmp_path / "new")).code == 2
    files = tidegate(capsys, "schema", str(tmp_path / "schemas"), "--json").document
    assert all(Path(file).is_file() for file in files)
    by_name = {Path(file).name: json.loads(Path(file).read_text()) for file in files}
    assert {"config.http.schema.json", "config.webhook.schema.json"} < set(by_name)
    assert by_name["config.http.schema.json"]["additionalProperties"] is False
    led = [rule["then"]["properties"]["config"]["$ref"] for rule in by_name["destination.schema.json"]["allOf"]]
    assert set(led) == {name for name in by_name if name.startswith("config.")}
