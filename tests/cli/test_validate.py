"""What `tidegate validate` says beyond right and wrong: the form that is wanted, and what is worth a look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.door import Ended, tidegate
from tests.projects import TestProject

CALL = "http://127.0.0.1:9/batch"
Call = Callable[..., Ended]


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return TestProject(tmp_path, CALL)


@pytest.fixture
def validate(project: TestProject, capsys: pytest.CaptureFixture[str]) -> Call:
    return lambda *more: tidegate(capsys, "validate", "--project", str(project.folder), *more)


def test_two_syncs_that_write_to_one_object_are_named_with_their_files(project: TestProject, validate: Call) -> None:
    project.sync("people_again")
    project.sync("elsewhere", object="accounts")

    told = validate()

    assert told.code == 0
    assert "syncs/people_again.yaml and syncs/people_to_hook.yaml write to `contacts` of `hook`" in told.out
    assert "elsewhere" not in told.out
    assert len(validate("--json").document["warnings"]) == 1


@pytest.mark.parametrize("secret", ["too-short-a-secret", "whsec_bm90LWxvbmctZW5vdWdo", "whsec_!"])
def test_a_webhook_secret_of_another_form_is_told_the_form_and_not_shown(
    project: TestProject, validate: Call, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    for written in ("${env:HOOK_SECRET}", secret, ["${env:HOOK_SECRET}"]):
        project.write(
            "destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": {"url": CALL, "secret": written}}
        )

        told = validate()

        assert told.code == 2
        assert "needs at least 24 bytes, as text or as `whsec_` and base64" in told.out
        assert told.out.count("\n") == 2, "one problem and the sum"
        assert secret not in told.out + told.err


def test_what_an_adapter_says_of_a_value_does_not_quote_it(project: TestProject, validate: Call) -> None:
    headers = {"Bearer hidden-token-1": "x", "X-Key": "hidden-token-2"}
    for config in ({"url": "ftp://hidden-token-3/"}, {"url": CALL, "headers": headers}):
        project.write("destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": config})

        told = validate()

        assert told.code == 2
        assert "hidden-token" not in told.out + told.err
    assert "is not the name of a header" in told.out


@pytest.mark.parametrize(("mode", "is_told"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_secret_in_a_file_that_everybody_may_read_is_worth_a_warning(
    project: TestProject, validate: Call, mode: int, is_told: bool
) -> None:
    secret = project.folder / "hook.secret"
    secret.write_text("a-secret-of-more-than-24-bytes\n")
    secret.chmod(mode)
    config = {"url": CALL, "secret": "${file:hook.secret}"}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": config})

    told = validate()

    assert told.code == 0
    warning = "destinations/hook.yaml:5: every user of this machine may read the file of `config.secret` (chmod 600)"
    assert (warning in told.out) is is_told


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": "https://10.0.0.5/hook"}, "an address of a private network"),
        ({"url": "https://169.254.169.254/hook", "allow_private": True}, "an address where no destination can be"),
        ({"url": "https://10.0.0.5/hook", "allow_private": True}, ""),
        ({"url": "http://127.0.0.1:8765/batch"}, ""),
    ],
)
def test_an_address_that_no_call_may_go_to_is_named_with_its_line(
    project: TestProject, validate: Call, config: dict[str, object], words: str
) -> None:
    project.write("destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": config})

    told = validate()

    assert told.code == (2 if words else 0)
    assert (f"destinations/hook.yaml:4: the host is {words}" in told.out) is bool(words), told.out


def test_an_environment_that_does_not_exist_is_all_that_is_said(project: TestProject, validate: Call) -> None:
    project.destination("hook", CALL, environments=["development"])

    told = validate("--env", "nosuch")

    assert told.code == 2
    assert told.out.splitlines()[1:] == ["1 problem"]
    assert "the environment `nosuch` does not exist: it was asked for by --env" in told.out
