"""What is found before anything is sent: fields, wrong match keys, and configurations that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from destinations.base import CheckFailed, Field
from destinations.testing.salesforce import CLIENT, SalesforceFake
from destinations.testing.salesforce_fields import Column
from engine.delivery.rehearsal import Line, ask
from tests.destinations.salesforce.org import URL, adapter, org

TEXT = frozenset({"string", "date", "timestamp", "time"})


def fields(api: SalesforceFake, object: str = "Contact") -> dict[str, Field]:
    asked = adapter()
    return {field.name: field for field in ask(asked, Line(api), lambda wire: asked.fields(object, wire))}


def test_fields_say_what_they_hold_which_find_records_and_which_are_read_only(tmp_path: Path) -> None:
    api = org(tmp_path)
    api.schema["LastName"] = Column(length=80, is_required=True)
    found = fields(api)

    assert found["Ext_Key__c"] == Field("Ext_Key__c", "string", unique=True, takes=TEXT)
    assert found["LastName"] == Field("LastName", "string", required=True, takes=TEXT)
    assert found["Seats__c"] == Field("Seats__c", "int", takes=frozenset({"integer"}))
    assert found["CreatedDate"].read_only
    assert found["Id"].read_only
    assert found["Id"].unique


def test_the_external_ids_of_related_records_are_fields_too(tmp_path: Path) -> None:
    related = {name: field.unique for name, field in fields(org(tmp_path)).items() if "." in name}

    assert related == {"Account.Ext_Key__c": False, "Owner:User.Ext_Key__c": False, "Owner:Group.Ext_Key__c": False}


@pytest.mark.parametrize(("object", "words"), [("Contcat", "no such object"), ("../limits", "API name of an object")])
def test_an_object_that_is_not_there_is_told_as_such(tmp_path: Path, object: str, words: str) -> None:
    with pytest.raises(CheckFailed, match=words):
        fields(org(tmp_path), object)


@pytest.mark.parametrize(
    ("sync", "words"),
    [
        ({"object": "../Contact"}, "API name of an object"),
        ({"object": ""}, "API name of an object"),
        ({"match": ["Id"]}, "only mode update"),
        ({"match": ["Account.Ext_Key__c"]}, "`match` is one field"),
        ({"match": ["a) OR (Id != null"]}, "`match` is one field"),
        ({"fields": ["Id"]}, "read-only"),
        ({"fields": ["Last Name"]}, "neither the API name of a field nor"),
        ({"fields": ["A.B.C"]}, "neither the API name of a field nor"),
    ],
)
def test_a_sync_that_cannot_work_is_told_why_without_a_call(sync: dict[str, Any], words: str) -> None:
    usual = {"object": "Contact", "mode": "upsert", "match": ["Ext_Key__c"], "fields": ["LastName"]}

    (problem,) = adapter().problems(**{**usual, **sync})

    assert words in problem


def test_a_sync_of_any_object_by_an_external_id_is_no_problem() -> None:
    named = ["LastName", "Account.Ext_Key__c", "Owner:User.Email"]

    assert adapter().problems(object="Invoice__c", mode="mirror", match=["Key__c"], fields=named) == []
    assert adapter().problems(object="Lead", mode="update", match=["Id"], fields=named) == []


@pytest.mark.parametrize(
    "config",
    [
        {"url": "http://acme.my.salesforce.com"},
        {"url": "https://user@acme.my.salesforce.com"},
        {"version": "67"},
        {"version": "../67.0"},
        {"unsubscribes": "Has Opted Out"},
        {"duplicates": "allow"},
        {"leaves_calls": -1},
        {"login": {**CLIENT, "token_url": "http://acme.my.salesforce.com/services/oauth2/token"}},
        {"login": {}},
        {"token": "x"},
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        adapter(**config)


def test_an_older_version_of_the_api_is_a_matter_of_config() -> None:
    asked = adapter(version="61.0", url=f"{URL}/")

    assert str(asked._calls.call("GET", "/limits").url) == f"{URL}/services/data/v61.0/limits"
