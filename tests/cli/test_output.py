"""JSON is exactly one document with the promised names, whatever the values."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import pytest

from engine.core.events import CheckResult
from engine.core.outcome import RunStatus
from engine.faces.cli.output import document, without_secrets, write_document
from engine.observe.redact import Redactor
from tests.cli.door import python
from tests.cli.reports import plan_preview, run_report

RUN_KEYS = {"sync", "dataset", "version", "run", "status", "reason", "plan", "delivered", "rejected", "failed"} | {
    "unknown",
    "withheld",
    "requests",
    "bytes_sent",
    "seconds",
}


def test_a_run_has_the_promised_names_and_its_status_as_text() -> None:
    told = document([run_report(status=RunStatus.PARTIAL)])
    assert isinstance(told, list)
    (run,) = told
    assert isinstance(run, dict)
    assert set(run) >= RUN_KEYS
    assert run["status"] == "partial"
    assert type(run["status"]) is str
    assert isinstance(run["plan"], dict)
    assert set(run["plan"]) >= {"id", "digest", "inserts", "updates", "deletes", "unchanged", "withheld"}
    assert run["delivered"] == {"inserts": 12_345, "updates": 1, "deletes": 0}
    assert isinstance(run["seconds"], dict)
    assert set(run["seconds"]) >= {"total", "capture", "gate", "plan", "deliver"}


def test_a_document_is_the_dataclass_as_a_dictionary() -> None:
    assert document(plan_preview()) == json.loads(json.dumps(asdict(plan_preview())))


def test_what_json_cannot_say_is_said_another_way_or_not_at_all() -> None:
    odd = {"nan": math.nan, "inf": math.inf, "path": Path("a/b"), "map": MappingProxyType({1: (None, True)})}
    assert document(odd) == {"nan": None, "inf": None, "path": "a/b", "map": {"1": [None, True]}}
    with pytest.raises(TypeError, match="no JSON form for object"):
        document(object())


def test_hostile_text_leaves_as_ascii_and_comes_back_whole(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = '\x1b[31m\x00\x9b\u202e\ud800 \N{PILE OF POO} " \\ \n'
    write_document({"value": hostile})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == {"value": hostile}


def test_a_report_leaves_without_the_secrets_that_a_destination_echoed() -> None:
    redactor = Redactor()
    redactor.register("sk-live-0123456789")
    report = run_report(reason="401: the key sk-live-0123456789 is not valid")
    assert without_secrets([report], redactor.redact) == [run_report(reason="401: the key [secret] is not valid")]
    check = CheckResult("a", "warn", "sk-live-0123456789", {"rows": 1.0})
    assert without_secrets(plan_preview(checks=(check,)), redactor.redact).checks[0].message == "[secret]"


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "--json "])
def test_a_standard_output_that_is_closed_or_full_is_no_traceback(options: str) -> None:
    script = """
import subprocess, sys
command = f"{sys.executable} -c 'from engine.faces.cli.main import main; main()' OPTIONSdestination adapters"
for end in (">&-", ">/dev/full"):
    done = subprocess.run(command + " " + end, shell=True, capture_output=True, text=True)
    print(done.returncode, "Traceback" in done.stderr + done.stdout, "a bug" in done.stderr)
"""
    ended = python(script.replace("OPTIONS", options))

    assert ended.out.splitlines() == ["0 False False", "1 False False"]
