"""Several syncs in one command: each goes its own way, and the exit code is the worst of them."""

from __future__ import annotations

import yaml

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver


def test_a_paused_sync_and_a_refused_contract_stop_no_other_and_the_worst_is_the_exit_code(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({1: ("Ada", 1.0), 2: ("Bo", 2.0)})
    project.sync("resting")
    assert project.run("pause", "resting", "--reason", "maintenance").code == 0
    retired = {**CONTRACT, "id": "old", "name": "old", "status": "retired"}
    project.write("contracts/old-v1.odcs.yaml", retired)
    dataset = yaml.safe_load((project.folder / "datasets/people.yaml").read_text(encoding="utf-8"))
    project.write("datasets/old.yaml", {**dataset, "name": "old", "contract": "contracts/old-v1.odcs.yaml"})
    project.sync("refused", dataset="old@1")
    project.sync("doubted", match={"score": "score"}, gates={"inserts": {"max": 1, "on_fail": "review"}})

    every = project.run("--json", "run", "--all")
    rest = project.run("--json", "run", "doubted", "refused", "people_to_hook")

    statuses = {report["sync"]: report["status"] for report in every.json}
    assert statuses == {"doubted": "held", "people_to_hook": "succeeded", "refused": "blocked", "resting": "paused"}
    assert [report["status"] for report in rest.json] == ["held", "blocked", "unchanged"]
    assert (every.code, rest.code) == (1, 3)
    assert project.run("run", "people_to_hook", "doubted").code == 4
    assert set(receiver.records) == {"1", "2"}
