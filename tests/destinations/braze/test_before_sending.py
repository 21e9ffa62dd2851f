"""What is found before anything is sent: attributes, names that mean something else, and configs that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from destinations.base import CheckFailed, Field, Op
from destinations.braze.adapter import BrazeConfig
from destinations.testing.braze import KEY, Attribute, BrazeFake
from engine.core.desired import FieldMapping, Mapping, MatchKey, Mode
from engine.core.schema import Column, LogicalType, TableSchema
from engine.delivery.rehearsal import Line, ask
from engine.service.discovery import field_findings
from tests.destinations.batches import batch
from tests.destinations.braze.workspace import URL, adapter, workspace

NUMBERS = frozenset({"integer", "number"})
MOMENTS = frozenset({"date", "timestamp"})


def fields(api: httpx.AsyncBaseTransport) -> dict[str, Field]:
    asked = adapter()
    return {field.name: field for field in ask(asked, Line(api), lambda wire: asked.fields("users", wire))}


@pytest.fixture
def api(tmp_path: Path) -> BrazeFake:
    return workspace(tmp_path)


def test_attributes_say_what_they_keep_and_which_keep_nothing(api: BrazeFake) -> None:
    api.attributes = {
        "seats": Attribute("Number"),
        "plan": Attribute("String (Automatically Detected)"),
        "is_vip": Attribute("Boolean"),
        "signup": Attribute("Time"),
        "tags": Attribute("Array"),
        "car": Attribute("Object"),
        "old": Attribute("String", "Blocklisted"),
        "odd": Attribute("Something new"),
    }

    found = fields(api)

    assert found["seats"] == Field("seats", "number", takes=NUMBERS)
    assert found["plan"].takes == {"string", "time"}
    assert found["is_vip"].takes == {"boolean"}
    assert found["signup"].takes == MOMENTS
    assert found["odd"].takes == frozenset()
    assert [name for name in api.attributes if found[name].read_only] == ["tags", "car", "old"]


def test_fields_that_every_user_has_are_known_and_those_that_find_users_are_unique(api: BrazeFake) -> None:
    found = fields(api)

    assert found["dob"] == Field("dob", "date", takes=MOMENTS)
    assert {name for name, field in found.items() if field.unique} == {"external_id", "braze_id", "alias_name", "email"}
    assert not found["email"].read_only


def test_all_pages_of_attributes_are_read_from_the_instance_itself(api: BrazeFake) -> None:
    """The address of the next page is Braze's to choose, and a key goes nowhere but where the operator sends it."""
    api.attributes = {f"attribute_{n:03}": Attribute("String") for n in range(120)}

    found = fields(api)

    assert set(api.attributes) <= set(found)
    assert [request.url.host for request in api.requests] == ["rest.fra-01.braze.eu"] * 3


def test_pages_without_end_are_not_read_for_ever() -> None:
    headers = {"link": f'<{URL}/custom_attributes?cursor=again>; rel="next"'}
    page = httpx.Response(200, json={"message": "success", "attributes": []}, headers=headers)

    with pytest.raises(CheckFailed):
        fields(httpx.MockTransport(lambda _request: page))


def test_a_key_that_may_not_list_attributes_is_told_which_permission_lacks(api: BrazeFake) -> None:
    api.permissions = frozenset({"users.track"})

    with pytest.raises(CheckFailed, match=r"`custom_attributes\.get`"):
        fields(api)


def test_a_field_that_is_not_there_or_of_another_type_is_named_before_anything_is_sent(api: BrazeFake) -> None:
    api.attributes = {"seats": Attribute("Number"), "plan": Attribute("String")}
    columns = tuple(Column(name, LogicalType.STRING) for name in ("id", "seats", "plan", "level"))
    mapped = tuple(FieldMapping(target, target) for target in ("seats", "plan", "level"))
    sync = Mapping("users", Mode.UPSERT, (MatchKey("external_id", "id"),), mapped)

    found = list(field_findings(sync, TableSchema(columns), list(fields(api).values())))

    assert [(one.code, one.path) for one in found] == [
        ("bad_type", ("fields", "seats")),
        ("unknown_field", ("fields", "level")),
    ]
    assert found[0].message == "`seats` is sent as string, and `seats` is number"


@pytest.mark.parametrize(
    ("sync", "words"),
    [
        ({"object": "contacts"}, "`object` is `users`"),
        ({"match": ["braze_id"]}, "only mode update"),
        ({"match": ["alias_name"]}, "write `alias_label`"),
        ({"fields": ["external_id"]}, "finds the user already"),
        ({"fields": ["braze_id"]}, "finds users and is not written"),
        ({"match": ["email"], "fields": ["email"]}, "finds the user already"),
        ({"fields": ["alias_label"]}, "the destination's config"),
        ({"fields": ["push_tokens"]}, "an object or a list"),
        ({"fields": ["subscription_groups"]}, "an object or a list"),
        ({"fields": ["_merge_objects"]}, "means something else"),
        ({"fields": ["push_token_import"]}, "means something else"),
        ({"fields": ["bio"]}, "means something else"),
    ],
)
def test_a_sync_that_cannot_work_is_told_why_without_a_call(sync: dict[str, Any], words: str) -> None:
    usual = {"object": "users", "mode": "upsert", "match": ["external_id"], "fields": ["first_name"]}

    (problem,) = adapter().problems(**{**usual, **sync})

    assert words in problem


@pytest.mark.parametrize(
    ("match", "config", "mode"),
    [
        ("external_id", {}, "mirror"),
        ("email", {}, "upsert"),
        ("alias_name", {"alias_label": "crm"}, "upsert"),
        ("braze_id", {}, "update"),
    ],
)
def test_a_sync_by_any_identifier_is_no_problem(match: str, config: dict[str, str], mode: str) -> None:
    fields = ["first_name", "email_subscribe", "plan"]

    assert adapter(**config).problems(object="users", mode=mode, match=[match], fields=fields) == []


@pytest.mark.parametrize(
    "config",
    [
        {"login": {"token": KEY}},
        {"login": {"token": "two words"}, "url": URL},
        {"login": {"token": KEY}, "url": "http://rest.fra-01.braze.eu"},
        {"login": {"token": KEY}, "url": "rest.fra-01.braze.eu"},
        {"login": {"token": KEY}, "url": "https://key@rest.fra-01.braze.eu"},
        {"login": {"token": KEY}, "url": URL, "alias_label": ""},
        {"login": {"token": KEY}, "url": URL, "channels": []},
        {"login": {"token": KEY}, "url": URL, "channels": ["sms"]},
        {"login": {"token": KEY}, "url": URL, "groups": ["a group"]},
        {"login": {"token": KEY}, "url": URL, "text_length_max": 0},
        {"login": {"token": KEY}, "url": URL, "sends": "some"},
        {"token": KEY, "url": URL},
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BrazeConfig.model_validate(config)


def test_the_instance_is_a_matter_of_config_and_this_machine_may_be_one() -> None:
    local = adapter(url="http://127.0.0.1:8080/")

    request = local.encode(batch(Op.UPSERT, {"c-1": {}}, key="external_id"))

    assert str(request.url) == "http://127.0.0.1:8080/users/track"
