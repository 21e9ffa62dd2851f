"""What a person and a program are told when a command does not end well, and the process's exit code.

Knows nothing of the engine beyond its error tree, so that it costs nothing at start.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import click

from config.problems import InvalidProject
from engine.errors import ConfigurationError, Interrupted, TidegateError
from engine.faces.cli.output import write_aside, write_document
from engine.faces.cli.plain import plain
from engine.observe.trouble import traced
from engine.runbooks import runbook_of

WIDTH_MAX = 100
WIDTH_MIN = 20
KEPT = "Everything that was recorded is kept."


class Bug(TidegateError):
    """An exception that nobody foresaw."""

    code = "bug"


class SystemRefused(TidegateError):
    """The operating system said no: a full disk, a missing permission, a network that is down."""

    code = "system"


@dataclass(frozen=True, slots=True)
class Report:
    """How errors are to be told: ``redact`` takes secrets out of any text."""

    as_json: bool
    debug: bool
    redact: Callable[[str], str]

    def tell(self, error: BaseException) -> int:
        """Print ``error`` on stderr, and as one JSON document on stdout if asked; returns the exit code."""
        match error:
            case InvalidProject():
                return self._invalid(error)
            case click.ClickException():
                return self._usage(error)
            case _:
                return self._paragraph(_described(error), error)

    def _paragraph(self, error: TidegateError, cause: BaseException) -> int:
        parts = {name: self._clean(getattr(error, name)) for name in ("what", "where", "safe", "next")}
        where = f"Where: {parts['where']}" if parts["where"] else ""
        way_out = f"Next: {parts['next']}" if parts["next"] else ""
        runbook = runbook_of(error.code)
        page = f"Runbook: `tidegate runbook {runbook}`." if runbook else ""
        sentences = (
            _ended(parts["what"]),
            _ended(where),
            _ended(parts["safe"]),
            _ended(way_out) if page else way_out,
            page,
        )
        self._say(f"Error: {' '.join(s for s in sentences if s)}")
        if self.debug:
            self._traceback(cause)
        if self.as_json:
            write_document({"error": {"code": error.code, **parts, "runbook": runbook}})
        return error.exit_code

    def _invalid(self, error: InvalidProject) -> int:
        for problem in error.problems:
            write_aside(self._clean(str(problem)) + "\n")
        found = len(error.problems)
        body = {
            "code": "invalid_project",
            "what": "The project has 1 problem" if found == 1 else f"The project has {found:,} problems",
            "where": "",
            "safe": "Nothing was started.",
            "next": "mend the files, then run `tidegate validate`",
        }
        self._say(f"Error: {body['what']}. {body['safe']} Next: {body['next']}")
        if self.as_json:
            parts = ("file", "code", "message", "hint")
            problems = [{"line": p.line, **{n: self._clean(getattr(p, n)) for n in parts}} for p in error.problems]
            write_document({"error": {**body, "problems": problems}})
        return ConfigurationError.exit_code

    def _usage(self, error: click.ClickException) -> int:
        is_help = isinstance(error, click.exceptions.NoArgsIsHelpError)
        write_aside(self.redact(error.format_message() if is_help else _usage_text(error)) + "\n")
        if self.as_json:
            what = "No command was named" if is_help else self._clean(error.format_message())
            body = {"code": "usage", "what": what, "where": "", "safe": "Nothing was started."}
            write_document({"error": {**body, "next": "add --help to see what may be written"}})
        return ConfigurationError.exit_code

    def _traceback(self, error: BaseException) -> None:
        for line in traced(error):
            write_aside(self._clean(line) + "\n")

    def _clean(self, text: str) -> str:
        return plain(self.redact(text))

    def _say(self, text: str) -> None:
        """One paragraph that starts with "Error:"; a terminal gets it wrapped, a file as one line."""
        shown = "\n".join(_wrapped(text)) if sys.stderr.isatty() else text
        if _is_coloured():
            shown = click.style("Error:", fg="red", bold=True) + shown.removeprefix("Error:")
        write_aside(shown + "\n")


def _described(error: BaseException) -> TidegateError:
    """Any exception in the five parts of ours."""
    match error:
        case TidegateError():
            return error
        case click.Abort() | KeyboardInterrupt():
            return Interrupted("Interrupted", safe=KEPT, next="the next run resumes")
        case OSError():
            # A full disk or a missing permission is no bug of ours; a file's name may be said, its content may not.
            where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
            what = f"The operating system refused: {error.strerror or type(error).__name__}"
            return SystemRefused(what, where=where, safe=KEPT, next="mend that, then run the command again")
        case _:
            # Never the exception's own message: it may hold row values.
            what = f"This is a bug in Tidegate: an unexpected {type(error).__name__}"
            return Bug(what, safe=KEPT, next="run the command again with --debug and report the traceback")


def _usage_text(error: click.ClickException) -> str:
    message = _ended(plain(error.format_message()).strip())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return f"Error: {message}"
    help_line = f"Try `{context.command_path} --help`."
    return f"{context.get_usage()}\n{help_line}\n\nError: {message}"


def _ended(sentence: str) -> str:
    return sentence if not sentence or sentence[-1] in ".?!" else f"{sentence}."


def _wrapped(text: str) -> list[str]:
    columns = shutil.get_terminal_size().columns
    width = max(WIDTH_MIN, min(columns, WIDTH_MAX))
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _is_coloured() -> bool:
    """As no-color.org and terminals ask: only on a terminal that has colours and whose owner wants them."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
