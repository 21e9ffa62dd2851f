"""The page about Braze is true: its files run in a new project, and its tables say what the adapter declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from destinations.braze.adapter import Braze, BrazeConfig
from destinations.braze.answers import PERMISSIONS
from destinations.braze.users import IDENTIFIERS
from destinations.testing.braze import KEY, Attribute, BrazeFake
from tests.cli.door import tidegate
from tests.destinations.braze.workspace import workspace
from tests.destinations.page import direct, files_of, page_of, played, project_of
from tests.destinations.served import served

PAGE = page_of("braze")
SYNC = "customers_to_braze"


@pytest.fixture
def api(tmp_path: Path) -> BrazeFake:
    found = workspace(tmp_path)
    found.attributes = {"lifetime_value": Attribute("Number"), "customer_since": Attribute("Time")}
    return found


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAZE_KEY", KEY)
    return project_of(PAGE, tmp_path / "shop", capsys)


def test_the_files_of_the_page_are_a_project_that_is_valid(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(files_of(PAGE)) == {"destinations/braze.yaml", f"syncs/{SYNC}.yaml"}

    told = tidegate(capsys, "validate", "--project", str(project))

    assert told.code == 0, told.out
    assert "stays unsubscribed in `braze`" in told.out, "an opt-out outlives consent that comes back"


@pytest.mark.slow
def test_the_sync_of_the_page_delivers_everybody_who_consents_and_then_has_nothing_to_do(
    project: Path, api: BrazeFake, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(api) as url:
        direct(project, "braze", url)

        told = played(project, SYNC, capsys)

    assert told.checked.startswith("the key may write users")
    assert told.valid.code == 0, told.valid.out
    assert told.first["status"] == "succeeded"
    assert told.first["delivered"]["inserts"] == len(api.held()) > 500
    assert api.complaints == []
    assert all(len(held["country"]) == 2 for held in api.held().values())
    assert told.second["status"] == "unchanged"


def test_the_page_names_every_key_of_the_config_every_identifier_and_every_permission() -> None:
    named = set(re.findall(r"`([\w.]+)`", PAGE))

    assert {*BrazeConfig.model_fields, *IDENTIFIERS, *PERMISSIONS.values()} <= named


def test_the_limits_of_the_page_are_those_of_the_adapter() -> None:
    limits, rate = Braze.spec.limits, Braze.spec.limits.rate

    assert rate is not None
    assert (limits.records, rate.requests, rate.per_seconds) == (50, 250, 1)
    assert "Fifty users a call, and 250 calls a second" in PAGE
    assert f"{BrazeConfig.model_fields['text_length_max'].default} when silent" in PAGE
