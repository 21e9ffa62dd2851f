"""A project folder becomes one frozen value; settings, schemas and the search for it agree with the files."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from config.consent import ConsentRule, NoConsent
from config.dataset import DatasetFile
from config.environment import PostgresConnection, ProjectFile
from config.folder import find_project
from config.json_schema import schemas
from config.problems import InvalidProject
from config.project import Project, load_project
from config.settings import operating_system_actor, read_settings
from config.sync import DatasetReference, SyncFile

BASE = Path(__file__).parents[1] / "broken_projects" / "base"
CANARY = "planted-canary-7f3a"
ENV = {"MARTS_URL": f"postgresql://reader:{CANARY}@127.0.0.1/marts", "CRM_SECRET": CANARY}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(BASE, tmp_path / "acme")
    return tmp_path / "acme"


def load(folder: Path, **env: str) -> Project:
    return load_project(folder, environment=None, env={**ENV, **env})


def test_a_valid_project_holds_what_its_files_say(folder: Path) -> None:
    project = load(folder)

    assert (project.name, project.environment_name, project.folder) == ("acme", "development", folder)
    assert project.environment.ledger.get_secret_value() == f"sqlite:///{folder}/.tidegate/ledger.db"
    assert project.environment.storage.value == str(folder / ".tidegate/segments")
    assert (project.compute.memory, project.compute.threads) == (2 * 10**9, 2)
    customers = project.datasets["customers", "contracts/customers-v1.odcs.yaml"]
    assert (customers.gates.rows.min, customers.gates.rows.max) == (1, 1_000_000)
    assert project.contract_of(customers).data["id"] == "customers"
    assert project.datasets["consents", "contracts/consents-v1.odcs.yaml"].kind == "consent"
    sync = project.syncs["customers_to_crm"]
    assert sync.dataset == DatasetReference("customers", 1)
    assert sync.fields["email"].column == "email"
    assert (sync.fields["ltv"].column, sync.fields["ltv"].on_null) == ("lifetime_value", "clear")
    assert isinstance(sync.consent, ConsentRule)
    rate = project.destinations["crm"].rate
    assert rate is not None
    assert rate.per == timedelta(seconds=1)
    assert sync.file == "syncs/customers_to_crm.yaml"


def test_a_project_cannot_be_changed(folder: Path) -> None:
    project = load(folder)
    with pytest.raises(dataclasses.FrozenInstanceError):
        project.name = "other"
    with pytest.raises(ValidationError):
        project.syncs["customers_to_crm"].mode = "upsert"
    with pytest.raises(TypeError):
        project.syncs["other"] = project.syncs["customers_to_crm"]  # type: ignore[index]  # the point of the test


def test_a_project_shows_no_secret_and_still_holds_it(folder: Path) -> None:
    project = load(folder)
    marts = project.connections["marts"]
    assert isinstance(marts, PostgresConnection)
    assert CANARY not in repr(project)
    assert CANARY not in str(project.destinations["crm"].config)
    assert CANARY in marts.url.get_secret_value()


def test_a_key_is_located_in_its_file(folder: Path) -> None:
    project = load(folder)
    assert project.locate("syncs/customers_to_crm.yaml", ("fields", "ltv", "from")) == 10
    assert str(project.problem("datasets/customers.yaml", ("owner",), "x", "wrong", "mend it")) == (
        "datasets/customers.yaml:2: wrong (mend it)"
    )


class AdapterConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str
    secret: SecretStr
    timeout: int = 1


def test_an_adapter_takes_over_its_config_with_the_secrets(folder: Path) -> None:
    project = load(folder)
    config = project.adapter_config(project.destinations["crm"], AdapterConfig)
    assert config.secret.get_secret_value() == CANARY


def test_what_an_adapter_refuses_is_placed_at_its_line_without_the_value(folder: Path) -> None:
    crm = folder / "destinations/crm.yaml"
    crm.write_text(crm.read_text().replace("  url: http", f"  timeout: {CANARY}\n  ulr: {CANARY}\n  url: http"))
    project = load(folder)
    with pytest.raises(InvalidProject) as error:
        project.adapter_config(project.destinations["crm"], AdapterConfig)
    assert [(p.line, p.code) for p in error.value.problems] == [(4, "bad_value"), (5, "unknown_key")]
    assert "did you mean `url`?" in str(error.value)
    assert CANARY not in repr(error.value.problems)


def test_each_environment_sees_its_own_account(folder: Path) -> None:
    shared = (folder / "destinations/crm.yaml").read_text()
    live = shared.replace("[development]", "[production]").replace("127.0.0.1", "crm.example")
    (folder / "destinations/live.yaml").write_text(live)
    main = folder / "tidegate.yaml"
    main.write_text(main.read_text().replace("    require_approval: true\n", ""))
    env = {**ENV, "PRODUCTION_LEDGER": "postgresql://h/ledger"}
    assert load_project(folder, environment=None, env=env).destinations["crm"].file == "destinations/crm.yaml"
    assert load_project(folder, environment="production", env=env).destinations["crm"].file == "destinations/live.yaml"


@pytest.mark.parametrize("written", ['consent: {none: "staff"}', "consent: none\nconsent_reason: staff"])
def test_no_consent_is_written_in_two_ways_and_means_one_thing(folder: Path, written: str) -> None:
    path = folder / "syncs/customers_to_crm.yaml"
    lines = [written if line.startswith("consent:") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    assert load(folder).syncs["customers_to_crm"].consent == NoConsent(none="staff")


def test_the_examples_of_the_format_are_known_to_the_models() -> None:
    context = {"folder": Path("/srv/acme"), "file": "x.yaml"}
    dataset = {
        "name": "customers",
        "contract": "contracts/customers-v1.odcs.yaml",
        "source": {"connection": "lake", "query": "select 1"},
        "extract": {"mode": "incremental", "cursor": "updated_at", "lookback": "2h", "full_every": "24h"},
        "identifiers": ["customer_id", "email"],
        "gates": {"rows": {"min": 1, "max_change": 0.3}, "identifiers": {"max_null_increase": 0.02}},
        "retain": {"versions": 30},
    }
    sync = {
        "name": "s", "dataset": "customers@1", "destination": "crm", "object": "contacts", "mode": "append",
        "match": {"id": "id"}, "fields": {"email": "email"}, "consent": {"none": "staff"},
        "gates": {"deletes": {"max": 500, "max_ratio": 0.05, "on_fail": "review"}}, "schedule": {"every": "10m"},
    }  # fmt: skip
    assert DatasetFile.model_validate(dataset, context=context).extract.cursor == "updated_at"
    assert SyncFile.model_validate(sync, context=context).schedule is not None


def test_the_project_is_found_upward_from_an_inner_folder(folder: Path) -> None:
    assert find_project(folder / "syncs") == folder


def test_without_a_project_above_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidProject, match="tidegate init"):
        find_project(tmp_path)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_PROJECT", str(tmp_path))
    monkeypatch.setenv("TIDEGATE_ENV", "production")
    monkeypatch.setenv("TIDEGATE_LEDGER_OVERRIDE", f"postgresql://u:{CANARY}@h/db")
    found = read_settings()
    assert (found.project, found.env, found.log_level) == (tmp_path, "production", "info")
    assert found.actor == operating_system_actor()
    assert "@" in found.actor
    assert CANARY not in repr(found)


def test_a_wrong_setting_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_LOG_LEVEL", CANARY)
    with pytest.raises(InvalidProject, match="`TIDEGATE_LOG_LEVEL` must be 'debug', 'info'") as error:
        read_settings()
    assert CANARY not in str(error.value)


def test_there_is_a_schema_for_each_kind_of_file() -> None:
    found = schemas()
    assert set(found) == {"tidegate", "dataset", "destination", "sync"}
    assert set(found["tidegate"]["properties"]) == set(ProjectFile.model_fields)
    assert found["sync"]["additionalProperties"] is False
    assert {"const": "none", "type": "string"} in found["sync"]["properties"]["consent"]["oneOf"]
    assert found["destination"]["$defs"]["RateLimit"]["properties"]["per"]["default"] == "1s"


SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "1", "${env:X}", "customers@1", "none"])
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from(["from", "type", "none"]), v, max_size=2),
)
KEYS = ["name", "dataset", "destination", "object", "mode", "match", "fields", "consent", "gates", "schedule", "contract",
        "source", "extract", "identifiers", "config", "rate", "environments", "environment", "connections", "compute"]  # fmt: skip


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    file=st.sampled_from(["tidegate.yaml", "datasets/x.yaml", "destinations/x.yaml", "syncs/x.yaml"]),
    data=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1),
)
def test_any_data_gives_a_project_or_problems(folder: Path, file: str, data: dict[str, Any]) -> None:
    original = (BASE / "tidegate.yaml").read_text()
    (folder / file).write_text(yaml.safe_dump(data))
    problems: tuple[object, ...] = ("none yet",)
    try:
        load(folder)
    except InvalidProject as error:
        problems = error.problems
    finally:
        (folder / file).unlink()
        (folder / "tidegate.yaml").write_text(original)
    assert problems
