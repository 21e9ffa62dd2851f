"""Errors are one paragraph, a known exit code and, when asked, one JSON document; never a traceback by surprise."""

from __future__ import annotations

import json

import click
import pytest

from config.problems import InvalidProject, Problem
from engine import errors
from engine.faces.cli.errors import Report
from engine.observe.redact import Redactor
from tests.cli.door import tidegate

EXIT_CODES: list[tuple[BaseException, int]] = [
    (errors.TidegateError("it failed"), 1),
    (errors.ConfigurationError("it is wrong"), 2),
    (errors.ContractRefused("it takes back"), 2),
    (errors.SourceError("it is short"), 1),
    (errors.StorageError("it is full"), 1),
    (errors.SegmentDamaged("it is damaged"), 1),
    (errors.ErasureKeyMissing("it is lost"), 1),
    (errors.LedgerError("it is away"), 1),
    (errors.LedgerConflict("it moved"), 1),
    (errors.FactsMoved("it moved"), 1),
    (errors.LedgerTampered("it was edited"), 1),
    (errors.LedgerRegressed("it is older"), 1),
    (errors.SchemaMismatch("it is old"), 2),
    (errors.StaleEpoch("it was taken"), 1),
    (errors.Busy("it is held"), 6),
    (errors.DestinationError("it refuses"), 1),
    (errors.Interrupted("it was stopped"), 130),
    (InvalidProject([Problem("tidegate.yaml", 3, (), "bad_value", "is wrong")]), 2),
    (click.UsageError("it is misspelt"), 2),
    (click.Abort(), 130),
    (KeyboardInterrupt(), 130),
    (PermissionError(13, "Permission denied", "/data/x"), 1),
    (KeyError("ada@example.com"), 1),
]


def everything_below(error: type[errors.TidegateError]) -> set[type[errors.TidegateError]]:
    return {error}.union(*(everything_below(child) for child in error.__subclasses__()))


def test_the_table_of_exit_codes_has_every_error_of_the_tree() -> None:
    tree = {e for e in everything_below(errors.TidegateError) if e.__module__ == errors.__name__}
    assert tree - {type(error) for error, _ in EXIT_CODES} == set()


@pytest.mark.parametrize(("error", "code"), EXIT_CODES, ids=lambda value: type(value).__name__)
def test_each_error_has_its_exit_code_one_document_and_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Report(as_json=True, debug=False, redact=str).tell(error) == code
    out, err = capsys.readouterr()
    assert set(json.loads(out)["error"]) >= {"code", "what", "where", "safe", "next"}
    assert "Traceback" not in out + err
    assert "Error: " in err


def test_an_error_is_one_paragraph_with_what_where_safe_and_next(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.SourceError(
        "The source ended early",
        where="customers, row group 7",
        safe="Version 41 stays current.",
        next="tidegate run x",
    )
    Report(as_json=False, debug=False, redact=str).tell(error)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Error: The source ended early. Where: customers, row group 7. Version 41 stays current. Next: tidegate run x. "
        "Runbook: `tidegate runbook stale-source`.\n"
    )


def test_an_invalid_project_names_every_problem_by_file_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [
        Problem("syncs/b.yaml", 7, ("mode",), "bad_value", "`mode` is wrong", "did you mean `mirror`?"),
        Problem("datasets/a.yaml", 0, (), "missing_file", "the file does not exist"),
    ]
    Report(as_json=True, debug=False, redact=str).tell(InvalidProject(problems))
    out, err = capsys.readouterr()
    assert "syncs/b.yaml:7: `mode` is wrong (did you mean `mirror`?)\n" in err
    assert "datasets/a.yaml: the file does not exist\n" in err
    assert "The project has 2 problems" in err
    told = json.loads(out)["error"]["problems"]
    assert [(p["file"], p["line"], p["code"]) for p in told] == [
        ("datasets/a.yaml", 0, "missing_file"),
        ("syncs/b.yaml", 7, "bad_value"),
    ]


def test_an_unexpected_error_is_called_a_bug_and_its_message_is_kept_back(capsys: pytest.CaptureFixture[str]) -> None:
    Report(as_json=True, debug=False, redact=str).tell(KeyError("ada@example.com"))
    out, err = capsys.readouterr()
    assert "This is a bug in Tidegate: an unexpected KeyError." in err
    assert json.loads(out)["error"]["code"] == "bug"
    assert "ada@example.com" not in out + err


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as caught:
        {}["ada@example.org".lower()]
    Report(as_json=False, debug=True, redact=str).tell(caught.value)
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "builtins.KeyError" in told
    assert "KeyError: " not in told, "what a library says may be a row's value"


def test_an_error_holds_no_secret_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.register("hunter2-hunter2")
    report = Report(as_json=True, debug=True, redact=redactor.redact)
    for error in (
        errors.LedgerError("no \x1b[31mway\x1b]0;owned\x07 to hunter2-hunter2", where="a\nb\u202e", next="\x9b2J"),
        InvalidProject([Problem("a\x1b[2J.yaml", 1, (), "bad_value", "hunter2-hunter2")]),
        click.UsageError("hunter2-hunter2 \x1b[31m"),
    ):
        report.tell(error)
        out, err = capsys.readouterr()
        assert "hunter2" not in out + err
        assert not set("\x1b\x07\x9b\u202e") & set(out + err)
        assert "[secret]" in err


@pytest.mark.parametrize("place", [("run",), ("--env",), ("consent", "import"), ("ledger", "tail", "--stream")])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str], place: tuple[str, ...]
) -> None:
    ended = tidegate(capsys, *place, "postgresql+psycopg://reader:hunter2@db/ledger", "--json")

    assert ended.code == 2
    assert ended.document["error"]["code"] == "configuration"
    assert "can read it" in ended.err
    assert "hunter2" not in ended.out + ended.err


def test_a_regression_is_not_accepted_without_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    for reason in ("", "  "):
        ended = tidegate(capsys, "ledger", "accept-regression", "--reason", reason)
        assert ended.code == 2
        assert "say why" in ended.err
