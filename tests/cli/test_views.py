"""What a person sees: aligned, safe against any value, in colour only where colour was asked for."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TextIO

import click
import pytest

from config.problems import Problem
from engine.contracts.difference import Change, Kind
from engine.core.events import CheckResult
from engine.core.outcome import RunStatus
from engine.delivery.stop import StopRequest
from engine.faces.cli import contract, decide, destination, ledger, look, past, quarantine, resync, run
from engine.faces.cli.plain import moment, plain, seconds, size
from engine.faces.cli.progress import bar
from engine.faces.cli.render import Lines, console, show
from engine.observe.redact import Redactor
from engine.service.accounts import AccountReport, DayReport
from engine.service.adapters import AdapterReport, Key
from engine.service.approvals import HeldReport
from engine.service.captures import CaptureReport
from engine.service.contract_changes import Concerned
from engine.service.contract_notes import ContractNote, NotesReport
from engine.service.deprecations import DeprecationReport
from engine.service.destinations import CheckReport, DestinationReport
from engine.service.held_versions import HeldVersionReport, VersionDecisionReport
from engine.service.ledgers import DoubtReport, EventReport, LostReport, RegressionReport, VerifyReport
from engine.service.look import DiffReport, VersionReport
from engine.service.past_state import StateReport
from engine.service.promotion import PromotionReport
from engine.service.quarantine import (
    QuarantineDecision,
    QuarantinedRecord,
    QuarantineReport,
    RejectedRecord,
    RejectionReport,
)
from engine.service.quarantined_rows import QuarantinedRow, QuarantinedRowReport, QuarantinedRows
from engine.service.records import RecordReport, StoryLine
from engine.service.reports import PlanCounts
from engine.service.resync import ResyncPreview
from engine.service.runs import Progress
from engine.service.samples import MASK, Sample
from engine.service.status import SyncStatus
from engine.service.validate import ValidationReport
from tests.cli.reports import plan_preview, run_report

HOSTILE = "a\x1b[31mred\x1b]0;title\x07\r\n\x9b2J\u202egnp\u2028[bold]:smile:[/] \ud800 \N{FIRE}"
STEERING = set("\x00\x07\x08\x0b\x0c\r\x1b\x7f\x9b\u202e\u2028\ud800")


def told(view: Callable[[Any], Lines], report: Any, monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8") -> str:
    """A view as it leaves through a pipe."""
    raw = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace"))
        show(click.Context(click.Command("x")), report, view)
        return raw.getvalue().decode(encoding)


@contextmanager
def terminal() -> Iterator[tuple[TextIO, Callable[[], str]]]:
    """A pseudo-terminal to write to, and a function that closes it and returns what was written."""
    main, side = os.openpty()
    stream = os.fdopen(side, "w", encoding="utf-8", errors="backslashreplace")

    def written() -> str:
        stream.flush()
        os.set_blocking(main, False)
        chunks = []
        while True:
            try:
                chunk = os.read(main, 65_536)
            except BlockingIOError:
                break
            chunks.append(chunk)
        return b"".join(chunks).decode()

    try:
        yield stream, written
    finally:
        stream.close()
        os.close(main)


def hostile_reports() -> list[tuple[Callable[[Any], Lines], Any]]:
    h = HOSTILE
    sample = Sample("update", h, h, {h: h}, {h: h + "!"}, (h,))
    check = CheckResult(h, "block", h, {})
    change = Change(Kind.BREAKING, h, h, h, h, h)
    adapter = AdapterReport(h, h, (h,), 1, 2, h, h, h, True, True, h, h, h, (Key(h, True, h),))
    account = AccountReport("open", 1.0, h, (DayReport(h, 1, 2, h),), 1.5, None)
    line = StoryLine(h, h, h, 1, h, (h,))
    status = SyncStatus(h, h, h, h, 1, None, 5, 6, h, h, h, h, account, h)
    return [
        (run.run_view, [run_report(sync=h, reason=h, resumed=h, next=h)]),
        (run.capture_view, CaptureReport(h, "held", 1, 2, 3, 4, 5, h, (check,), h, h)),
        (run.plan_view, plan_preview(sync=h, dataset=h, checks=(check,), samples=(sample,), blocked=True)),
        (run.validation_view, ValidationReport(False, (), (h,), 1, 1, 1)),
        (look.status_view, [status]),
        (look.runs_view, [run_report(run=h, reason=h)]),
        (look.versions_view, [VersionReport(h, 1, h, 2, 3, 4, 5, True, h, h)]),
        (look.diff_view, DiffReport(h, 1, 2, 3, 4, 5, (sample,))),
        (past.record_view, RecordReport(h, h, True, True, False, False, 1, {h: h}, {h: None}, h, h, story=(line,))),
        (past.state_view, StateReport(h, h, 1, 2, 3, h)),
        (resync.preview_view, ResyncPreview(h, h, 1, h, 2, 1, PlanCounts(), (check,), (sample,), 1, 1.5, True, False)),
        (decide.held_view, [HeldReport(h, h, h, 1, 2, 3, h, h, h, h, h, h, h, h)]),
        (decide.version_view, [HeldVersionReport(h, h, 2, 1, 9, 1, 2, 3, h, h, h, h, h, h)]),
        (contract.deprecation_view, DeprecationReport(h, h, h, h, h, (Concerned(h, h, h, h, (h,)),), h)),
        (contract.notes_view, NotesReport(h, (ContractNote(h, h, h, h, 1, h, h, True, (change,)),), (h,))),
        (
            contract.promotion_view,
            PromotionReport(h, h, h, h, 1, h, (change,), plan_preview(sync=h), (Problem(h, 1, (), h, h, h),), False, h),
        ),
        (decide.decision_view, VersionDecisionReport(h, h, 2, h, h, h)),
        (quarantine.list_view, QuarantineReport(h, 1, 1, 1, 5, (RejectedRecord(h, h, 1, h, h, h),))),
        (quarantine.record_view, QuarantinedRecord(h, h, h, 1, 5, (RejectionReport(h, h, h),), sample)),
        (quarantine.rows_view, QuarantinedRows(h, 1, 9, 2, (QuarantinedRow(h, (h,)),))),
        (quarantine.row_view, QuarantinedRowReport(h, 1, h, (h,), {h: h, "b": None})),
        (quarantine.decision_view, QuarantineDecision(h, h, 1, h)),
        (ledger.tail_view, [EventReport(1, h, 1, h, h, h, h)]),
        (ledger.verify_view, VerifyReport(False, 0, 0, 7, h, 3, h)),
        (ledger.regression_view, RegressionReport((LostReport(h, h, 3),), (DoubtReport(h, 5),))),
        (destination.listing_view, [DestinationReport(h, h, h, (h,), h, 1, h)]),
        (destination.check_view, [CheckReport(h, False, h)]),
        (destination.adapters_view, [adapter]),
        (destination.markdown_view, [adapter]),
        (destination.adapter_view, adapter),
    ]


@pytest.mark.parametrize(("view", "report"), hostile_reports(), ids=lambda v: getattr(v, "__name__", ""))
def test_no_value_steers_the_terminal_or_is_read_as_markup(
    view: Callable[[Any], Lines], report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = told(view, report, monkeypatch)
    assert not STEERING & set(text)
    assert "\\x1b[31mred" in text
    assert "[bold]:smile:[/]" in text


@pytest.mark.parametrize("columns", ["1", "2", "7", "40"])
def test_no_width_is_too_narrow_for_a_number(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for view, report in hostile_reports():
        assert told(view, report, monkeypatch)
    assert "+12,345 ~1 -0" in told(run.run_view, [run_report()], monkeypatch), "a number is never cut"


def test_a_stream_that_knows_only_ascii_carries_every_view(monkeypatch: pytest.MonkeyPatch) -> None:
    assert '"old@example.com" -> "new@example.com"' in told(run.plan_view, plan_preview(), monkeypatch, "ascii")


def test_a_mask_is_a_mask_on_every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Sample("insert", "", MASK, {}, {"email": MASK}, ())
    sent = replace(plan_preview(), samples=(hidden,))
    assert told(run.plan_view, sent, monkeypatch).count("•••") == 2
    shown = told(run.plan_view, sent, monkeypatch, "ascii")
    assert shown.count("***") == 2
    assert "u2022" not in shown


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], is_coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with terminal() as (stream, written):
        console(stream).print(*run.run_view([run_report(status=RunStatus.FAILED)]))
        text = written()
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", text)) is is_coloured
    assert "\x1b" not in told(run.run_view, [run_report(status=RunStatus.FAILED)], monkeypatch)


def test_a_plan_shows_counts_why_digest_checks_and_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(run.plan_view, plan_preview(), monkeypatch)
    for part in (
        "Plan for customers_to_crm  customers@1, version 43 (candidate",
        "+ 1,200 inserts, ~ 1 update, - 2 deletes",
        "99,000",
        "incremental - changes since version 42",
        "cd" * 32,
        "warn  identity.match_key  2 rows share a match key",
        "+ 7  (new)",
        '    email: "a@example.com"',
        "~ 42  (changed)",
        '    email: "old@example.com" → "new@example.com"',
        "    ltv: absent → 1.5",
        "- 9  (consent)",
        '    email: "gone@example.com"',
    ):
        assert part in text, part
    assert "volume.rows" not in text, "a check that passed is not news"
    assert "Ada" not in text, "a field that stays is not news"
    assert text.splitlines()[-1] == "Next: tidegate run customers_to_crm"


def test_a_run_is_a_row_with_aligned_numbers_then_reasons_then_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [
        run_report(),
        run_report(
            sync="s", version=1042, status=RunStatus.PARTIAL, reason="7 rejected of 9 records", next="tidegate runs s"
        ),
    ]
    lines = told(run.run_view, reports, monkeypatch).splitlines()
    assert len(lines) == 5
    end = lines[0].index("version") + len("version")
    assert [line[:end].rsplit(maxsplit=1)[-1] for line in lines[1:3]] == ["42", "1042"]
    assert "+12,345 ~1 -0" in lines[1]
    assert lines[1].endswith("1.2 MB  12.3 s")
    assert lines[3] == "s: 7 rejected of 9 records"
    assert lines[4] == "Next: tidegate runs s"


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stop = StopRequest()
    with terminal() as (stream, written):
        with bar(console(stream), stop) as observe:
            assert observe is not None
            observe(Progress("customers_to_crm", "capture", 0, 0))
            observe(Progress("customers_to_crm", "deliver", 5_000, 10_000))
            stop.ask()
            observe(Progress("customers_to_crm", "deliver", 6_000, 10_000))
        text = written()
        assert "customers_to_crm  deliver" in text
        assert "stopping" in text
    with bar(console(io.StringIO()), StopRequest()) as observe:
        assert observe is None


def test_a_view_leaves_without_the_secrets_of_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.register("sk-live-0123456789")
    context = click.Context(click.Command("x"), obj=redactor)
    show(context, [run_report(reason="401: sk-live-0123456789 is not valid")], run.run_view)
    assert "customers_to_crm: 401: [secret] is not valid\n" in capsys.readouterr().out


def test_numbers_have_units_that_a_person_reads() -> None:
    assert [size(n) for n in (0, 999, 1_000, 123_456, 999_999, 5 * 10**9, 10**13)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "123 kB",
        "1.0 MB",
        "5.0 GB",
        "10.0 TB",
    ]
    assert [seconds(s) for s in (0, 0.421, 9.999, 59.99, 125, 3_780)] == [
        "0.00 s",
        "0.42 s",
        "10.0 s",
        "1 min 0 s",
        "2 min 5 s",
        "1 h 3 min",
    ]
    assert moment("2026-01-02T03:04:05.678901+00:00") == "2026-01-02 03:04:05Z"
    assert moment("") == "-"
    assert moment("yesterday") == "yesterday"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    for text in ("Zoë Müller", "東京", "می\u200cخواهم", "👩\u200d🚀", "50 € → 60 €"):
        assert plain(text) == text
    assert plain("a\u00a0b\tc") == "a\\xa0b\\tc"
