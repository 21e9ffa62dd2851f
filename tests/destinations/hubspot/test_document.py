"""The page about HubSpot is true: its files run in a new project, and its tables say what the adapter declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from destinations.hubspot.adapter import HubSpot, HubSpotConfig
from destinations.testing.hubspot import TOKEN, HubSpotFake
from destinations.testing.hubspot_properties import Property
from tests.cli.door import tidegate
from tests.destinations.page import direct, files_of, page_of, played, project_of
from tests.destinations.served import served

PAGE = page_of("hubspot")
SYNC = "customers_to_hubspot"


class Account(HubSpotFake):
    match = "customer_id"


@pytest.fixture
def api(tmp_path: Path) -> Account:
    found = Account(HubSpot.spec, tmp_path)
    found.schema |= dict.fromkeys(("firstname", "lastname", "country", "city"), Property("string"))
    found.schema |= {"customer_id": Property("string", is_unique=True), "lifetime_value": Property("number")}
    found.schema |= {"customer_since": Property("date")}
    return found


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    return project_of(PAGE, tmp_path / "shop", capsys)


def test_the_files_of_the_page_are_a_project_that_is_valid(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(files_of(PAGE)) == {"destinations/hubspot.yaml", "syncs/customers_to_hubspot.yaml"}

    told = tidegate(capsys, "validate", "--project", str(project))

    assert told.code == 0, told.out
    assert "stays unsubscribed in `hubspot`" in told.out, "an opt-out outlives consent that comes back"


@pytest.mark.slow
def test_the_sync_of_the_page_delivers_everybody_who_consents_and_then_has_nothing_to_do(
    project: Path, api: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(api) as url:
        direct(project, "hubspot", url)

        told = played(project, SYNC, capsys)

    assert told.checked.startswith("the account 4242 answers")
    assert told.valid.code == 0, told.valid.out
    assert told.first["status"] == "succeeded"
    assert told.first["delivered"]["inserts"] == len(api.held()) > 500
    assert api.complaints == []
    assert all(set(held) <= set(api.schema) for held in api.held().values())
    assert told.second["status"] == "unchanged"


def test_the_page_names_every_key_of_the_config() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.partition("What `config` takes")[2].partition("## ")[0]))

    assert set(HubSpotConfig.model_fields) <= named


def test_the_scopes_and_limits_of_the_page_are_those_of_the_adapter() -> None:
    rate = HubSpot.spec.limits.rate

    assert rate is not None
    assert (rate.requests, rate.per_seconds, HubSpot.spec.limits.records) == (100, 10, 100)
    assert "A hundred calls in ten seconds" in PAGE
    assert "up to a hundred records a call" in PAGE
