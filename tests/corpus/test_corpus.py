"""Every item of the corpus ends with the exit code and the words that it names, without a traceback and without a call."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.answers import corpus, replied
from tests.corpus.hostile import content, items
from tests.projects import Outcome, TestProject
from tests.receiver import Receiver, receiving

LONG = "x" * 100_000
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> TestProject:
    made = TestProject(tmp_path_factory.mktemp("corpus"), receiver.url)
    made.sync("people_to_hook", consent={"purpose": "email", "subject": "id"})
    made.people({1: ("Ada", 1.5)})
    assert made.run("capture", "people").code == 0
    return made


@pytest.fixture(autouse=True)
def at_home(project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("TIDEGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(project.folder)
    yield
    assert receiver.journal == [], "no request is sent"


def judge(ended: Outcome, case: dict[str, Any]) -> None:
    told = ended.out + ended.err
    assert ended.code == case["exit"], told
    assert case["says"] in told
    assert "Traceback" not in told
    assert "a bug in Tidegate" not in told
    assert STEERING.search(told) is None, "nothing steers the terminal"


@pytest.mark.parametrize("case", items("arguments"), ids=lambda case: str(case["name"]))
def test_each_command_line_ends_as_the_corpus_says(project: TestProject, case: dict[str, Any]) -> None:
    judge(project.run(*(argument.replace("{long}", LONG) for argument in case["args"])), case)


@pytest.mark.parametrize("case", items("decisions"), ids=lambda case: str(case["name"]))
def test_each_list_of_decisions_is_judged_as_the_corpus_says(
    project: TestProject, case: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / f"list.{case['form']}"
    file.write_bytes(content(case))
    judge(project.run("consent", "import", str(file)), case)


@pytest.mark.parametrize("case", corpus()["means"], ids=lambda case: str(case["name"]))
def test_each_answer_of_a_destination_means_what_the_corpus_says(case: dict[str, Any]) -> None:
    assert type(replied(case["status"], [], case["body"].encode())).__name__ == case["is"]


def test_with_json_a_refusal_is_one_document(project: TestProject) -> None:
    for case in items("arguments")[4:40:6]:
        ended = project.run("--json", *(argument.replace("{long}", LONG) for argument in case["args"]))
        assert ended.code == case["exit"]
        assert json.loads(ended.out)
