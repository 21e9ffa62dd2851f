"""The page about Salesforce is true: its files run in a new project, and its tables say what the adapter declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from destinations.salesforce.adapter import JOB_LIMITS, Salesforce, SalesforceConfig
from destinations.salesforce.bulk import CELL_LENGTH_MAX
from destinations.salesforce.records import QUERIES_MAX
from destinations.testing.salesforce import SECRET
from destinations.testing.salesforce_bulk import SalesforceJobsFake
from destinations.testing.salesforce_fields import Column
from tests.cli.door import tidegate
from tests.destinations.page import direct, files_of, page_of, played, project_of
from tests.destinations.served import served

PAGE = page_of("salesforce")
SYNC = "customers_to_salesforce"
TOKEN_PATH = "/services/oauth2/token"


class Org(SalesforceJobsFake):
    match = "Customer_Id__c"
    object = "Customer__c"


@pytest.fixture
def api(tmp_path: Path) -> Org:
    found = Org(Salesforce.spec, tmp_path)
    found.issuer.address = f"http://x{TOKEN_PATH}"
    texts = ("First_Name__c", "Last_Name__c", "Country__c", "City__c")
    found.schema |= {
        **dict.fromkeys(texts, Column()),
        "Email__c": Column("email"),
        "Lifetime_Value__c": Column("double"),
    }
    found.schema |= {"Customer_Id__c": Column(is_external=True), "Customer_Since__c": Column("date")}
    found.lasts(0)
    return found


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "app")
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", SECRET)
    return project_of(PAGE, tmp_path / "shop", capsys)


def log_in_at(project: Path, url: str) -> None:
    file = project / "destinations" / "salesforce.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"]["login"]["token_url"] = url + TOKEN_PATH
    file.write_text(yaml.safe_dump(document))


def test_the_files_of_the_page_are_a_project_that_is_valid(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(files_of(PAGE)) == {"destinations/salesforce.yaml", f"syncs/{SYNC}.yaml"}

    told = tidegate(capsys, "validate", "--project", str(project))

    assert told.code == 0, told.out
    assert "stays unsubscribed in `salesforce`" in told.out, "an opt-out outlives consent that comes back"


@pytest.mark.slow
def test_the_sync_of_the_page_delivers_everybody_who_consents_and_then_has_nothing_to_do(
    project: Path, api: Org, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(api) as url:
        direct(project, "salesforce", url)
        log_in_at(project, url)

        told = played(project, SYNC, capsys)

    assert told.checked.startswith("the org answers; 149,")
    assert told.valid.code == 0, told.valid.out
    assert told.first["status"] == "succeeded"
    assert told.first["delivered"]["inserts"] == len(api.held()) > 500
    assert api.complaints == []
    assert len(api.made) == 1, "so many records are a job"
    assert told.second["status"] == "unchanged"


def test_the_page_names_every_key_of_the_config() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.partition("What `config` takes")[2].partition("## ")[0]))

    assert set(SalesforceConfig.model_fields) <= named


def test_the_limits_of_the_page_are_those_of_the_adapter() -> None:
    limits = Salesforce.spec.limits

    assert (limits.records, limits.bytes, limits.concurrency, QUERIES_MAX) == (200, 1_000_000, 4, 5)
    assert "Two hundred records and 1 MB a call, four calls at once" in PAGE
    assert "up to five queries" in PAGE
    assert (JOB_LIMITS.records, JOB_LIMITS.bytes, JOB_LIMITS.concurrency) == (10_000, 8_000_000, 2)
    assert "ten thousand records and 8 MB a job, two jobs at once" in PAGE
    assert f"{CELL_LENGTH_MAX:,} characters" in PAGE
    assert f"{SalesforceConfig.model_fields['bulk_from'].default:,} when silent" in PAGE
