"""What is found before anything is sent: properties, wrong match keys, and configurations that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from destinations.base import CheckFailed, Field, Op
from destinations.testing.hubspot import TOKEN
from engine.delivery.rehearsal import Line, ask
from tests.destinations.batches import batch
from tests.destinations.hubspot.account import account, adapter


def fields(api: httpx.AsyncBaseTransport, object: str) -> dict[str, Field]:
    asked = adapter()
    return {field.name: field for field in ask(asked, Line(api), lambda wire: asked.fields(object, wire))}


def test_properties_say_what_they_hold_and_which_are_unique_or_read_only(tmp_path: Path) -> None:
    found = fields(account(tmp_path), "contacts")

    assert found["email"] == Field("email", "string", unique=True)
    assert found["crm_key"] == Field("crm_key", "string", unique=True)
    assert found["seats"] == Field("seats", "number", takes=frozenset({"integer", "number"}))
    assert found["createdate"] == Field(
        "createdate", "datetime", read_only=True, takes=frozenset({"date", "timestamp"})
    )
    assert found["hs_object_id"].unique


def test_a_custom_object_says_which_properties_must_be_there(tmp_path: Path) -> None:
    assert fields(account(tmp_path), "2-1234567")["crm_key"] == Field("crm_key", "string", required=True, unique=True)


def test_an_object_that_hubspot_does_not_know_is_told_as_such() -> None:
    said = {"category": "VALIDATION_ERROR", "message": "Unable to infer object type from: contcats"}

    with pytest.raises(CheckFailed, match="no object of this type"):
        fields(httpx.MockTransport(lambda _request: httpx.Response(400, json=said)), "contcats")


@pytest.mark.parametrize(
    ("sync", "words"),
    [
        ({"object": "../contacts"}, "`object` is"),
        ({"object": ""}, "`object` is"),
        ({"match": ["hs_object_id"]}, "only mode update"),
        ({"match": ["domain"], "object": "companies"}, "`domain` is not unique in HubSpot"),
        ({"fields": ["hs_object_id"]}, "read-only"),
    ],
)
def test_a_sync_that_cannot_work_is_told_why_without_a_call(sync: dict[str, Any], words: str) -> None:
    usual = {"object": "contacts", "mode": "upsert", "match": ["email"], "fields": ["firstname"]}

    (problem,) = adapter().problems(**{**usual, **sync})

    assert words in problem


@pytest.mark.parametrize("object", ["contacts", "companies", "deals", "tickets", "2-1234567", "p4242_cars"])
def test_a_sync_to_any_object_by_a_unique_property_is_no_problem(object: str) -> None:
    assert adapter().problems(object=object, mode="mirror", match=["crm_key"], fields=["firstname"]) == []


@pytest.mark.parametrize(
    "config",
    [
        {"login": {"token": ""}},
        {"login": {"token": "two words"}},
        {"login": {"token": TOKEN}, "url": "http://api.hubapi.com"},
        {"login": {"token": TOKEN}, "url": "https://user@api.hubapi.com"},
        {"login": {"token": TOKEN}, "objects_path": "crm"},
        {"login": {"token": TOKEN}, "objects_path": "/crm?x=1"},
        {"login": {"token": TOKEN}, "deletes": "soft"},
        {"login": {"token": TOKEN}, "subscription": 0},
        {"token": TOKEN},
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        adapter(**config)


def test_a_dated_version_of_the_api_is_a_matter_of_config() -> None:
    dated = adapter(objects_path="/crm/objects/2026-09", url="http://127.0.0.1:8080/")

    request = dated.encode(batch(Op.UPSERT, {"a@x.example": {}}, key="email"))

    assert str(request.url) == "http://127.0.0.1:8080/crm/objects/2026-09/contacts/batch/upsert"
