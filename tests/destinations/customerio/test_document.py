"""The page about Customer.io is true: its files run in a new project, and its tables say what the adapter declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from destinations.customerio.adapter import URLS, CustomerIo, CustomerIoConfig
from destinations.customerio.people import ATTRIBUTES_MAX, IDENTIFIERS, ITEM_BYTES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX
from destinations.testing.customerio import KEY, SITE
from tests.cli.door import tidegate
from tests.destinations.customerio.workspace import workspace
from tests.destinations.page import direct, files_of, page_of, played, project_of
from tests.destinations.served import served

PAGE = page_of("customerio")
SYNC = "customers_to_customerio"


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUSTOMERIO_SITE_ID", SITE)
    monkeypatch.setenv("CUSTOMERIO_API_KEY", KEY)
    return project_of(PAGE, tmp_path / "shop", capsys)


def test_the_files_of_the_page_are_a_project_that_is_valid(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(files_of(PAGE)) == {"destinations/customerio.yaml", f"syncs/{SYNC}.yaml"}

    told = tidegate(capsys, "validate", "--project", str(project))

    assert told.code == 0, told.out
    assert "stays unsubscribed in `customerio`" in told.out, "an opt-out outlives consent that comes back"


@pytest.mark.slow
def test_the_sync_of_the_page_delivers_everybody_who_consents_and_then_has_nothing_to_do(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = workspace(tmp_path)
    with served(api) as url:
        direct(project, "customerio", url)

        told = played(project, SYNC, capsys)

    assert told.checked.endswith("the workspace is in the region eu")
    assert told.first["status"] == "succeeded"
    assert told.first["delivered"]["inserts"] == len(api.held()) > 500
    assert api.complaints == []
    assert all(isinstance(held["customer_since"], int) for held in api.held().values())
    assert told.second["status"] == "unchanged"


def test_the_page_names_every_key_of_the_config_every_identifier_and_every_region() -> None:
    named = set(re.findall(r"`([\w.:/-]+)`", PAGE))

    assert {*CustomerIoConfig.model_fields, *IDENTIFIERS, *URLS, *URLS.values()} <= named


def test_the_limits_of_the_page_are_those_of_the_adapter() -> None:
    limits, rate = CustomerIo.spec.limits, CustomerIo.spec.limits.rate

    assert rate is not None
    assert (limits.records, limits.bytes, rate.requests, rate.per_seconds) == (500, 400_000, 100, 1)
    assert "Five hundred people a call and 400 KB" in PAGE
    assert "100 calls a second" in PAGE
    for words in (f"{VALUE_BYTES_MAX:,} bytes", f"{NAME_BYTES_MAX} bytes", f"{ITEM_BYTES_MAX:,} bytes"):
        assert f"longer than {words}" in PAGE or f"larger than {words}" in PAGE
    assert f"more than {ATTRIBUTES_MAX} attributes" in PAGE
