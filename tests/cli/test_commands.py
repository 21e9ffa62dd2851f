"""Every command has a help text, takes the common options, and an unknown one is answered with the nearest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from engine.faces.cli.group import Asked, Command, Group, asked
from engine.faces.cli.main import COMMANDS, cli
from tests.cli.door import tidegate

PROMISED = {
    "init",
    "demo",
    "validate",
    "capture",
    "plan",
    "run",
    "status",
    "runs",
    "versions",
    "diff",
    "show",
    "gates",
} | {
    "ledger",
    "db",
    "destination",
    "sandbox",
    "retry",
    "quarantine",
}


def every_command() -> Iterator[tuple[str, ...]]:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        yield (name,)
        if isinstance(command, click.Group):
            yield from ((name, child) for child in command.list_commands(context))


def test_the_table_holds_the_commands_that_the_project_promises() -> None:
    assert set(cli.list_commands(click.Context(cli))) >= PROMISED


def test_every_command_has_a_help_text_and_takes_the_common_options(capsys: pytest.CaptureFixture[str]) -> None:
    for path in every_command():
        ended = tidegate(capsys, *path, "--help")
        assert (ended.code, ended.err) == (0, ""), path
        assert ended.out.startswith(f"Usage: tidegate {' '.join(path)}"), path
        for option in ("--project", "--env", "--json", "--debug", "--help"):
            assert option in ended.out, path


def test_the_overview_says_what_the_command_says_of_itself() -> None:
    for entries in COMMANDS.values():
        for name, entry in entries.items():
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            assert command.help is not None
            assert command.help.splitlines()[0] == entry.help, name


@pytest.mark.parametrize(
    ("written", "meant"), [(("rnu",), "run"), (("statsu",), "status"), (("ledger", "verfy"), "verify")]
)
def test_an_unknown_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str], written: tuple[str, ...], meant: str
) -> None:
    ended = tidegate(capsys, *written)
    assert ended.code == 2
    assert f"there is no command `{written[-1]}`; did you mean `{meant}`?" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--all", "customers_to_crm"),
        ("run", "--no-such-option"),
        ("diff", "customers", "one", "2"),
        ("diff", "customers", "0", "2"),
        ("show", "customers_to_crm"),
        ("plan", "customers_to_crm", "--samples", "-1"),
        ("--project",),
    ],
)
def test_a_misused_command_ends_with_2_and_says_how_to_ask(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    ended = tidegate(capsys, *arguments, "--json")
    assert ended.code == 2
    assert ended.document["error"]["code"] == "usage"
    assert "Error: " in ended.err


def test_a_project_folder_that_does_not_exist_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for arguments in (("--project", str(tmp_path / "no"), "status"), ("status", "--project", str(tmp_path / "no"))):
        ended = tidegate(capsys, *arguments)
        assert ended.code == 2
        assert "does not exist" in ended.err


def _seen(arguments: list[str]) -> Asked:
    seen: list[Asked] = []

    @click.group(cls=Group)
    def outer() -> None:
        pass

    @outer.command(cls=Command)
    @click.pass_context
    def inner(context: click.Context) -> None:
        seen.append(asked(context))

    outer.main(arguments, standalone_mode=False)
    return seen[0]


def test_common_options_mean_the_same_before_and_after_the_command(tmp_path: Path) -> None:
    options = ["--project", str(tmp_path), "--env", "production", "--json", "--debug"]
    expected = Asked(tmp_path, "production", as_json=True, debug=True)
    assert _seen([*options, "inner"]) == expected
    assert _seen(["inner", *options]) == expected
    assert _seen([*options[:2], "inner", *options[2:]]) == expected


def test_of_two_answers_the_one_after_the_command_wins() -> None:
    assert _seen(["--env", "first", "inner", "--env", "second"]).environment == "second"


def test_options_that_were_not_given_leave_the_choice_open() -> None:
    assert _seen(["inner"]) == Asked(None, None, as_json=False, debug=False)
