"""What is found before anything is sent: names that mean something else, and configs that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from destinations.base import Op
from destinations.customerio.adapter import CustomerIoConfig
from tests.destinations.batches import batch
from tests.destinations.customerio.workspace import LOGIN, adapter


@pytest.mark.parametrize(
    ("sync", "words"),
    [
        ({"object": "contacts"}, "`object` is `people`"),
        ({"match": ["cio_id"]}, "only mode update"),
        ({"match": ["email"], "fields": ["email"]}, "finds the person already"),
        ({"fields": ["cio_id"]}, "never written"),
        ({"fields": ["cio_subscription_preferences.topics.topic_1"]}, "an object in Customer.io"),
        ({"fields": ["cio_relationships"]}, "an object in Customer.io"),
        ({"fields": ["_update"]}, "means something else"),
        ({"fields": ["x" * 151]}, "150 bytes of a name"),
        ({"fields": [f"a{n}" for n in range(301)]}, "names 301 attributes"),
    ],
)
def test_a_sync_that_cannot_work_is_told_why_without_a_call(sync: dict[str, Any], words: str) -> None:
    usual = {"object": "people", "mode": "upsert", "match": ["id"], "fields": ["first_name"]}

    (problem,) = adapter().problems(**{**usual, **sync})

    assert words in problem


@pytest.mark.parametrize(
    ("match", "mode", "fields"),
    [
        ("id", "mirror", ["email", "unsubscribed"]),
        ("email", "upsert", ["id"]),
        ("phone", "update", ["x" * 150]),
        ("cio_id", "update", ["id", "email"]),
        ("id", "upsert", [f"a{n}" for n in range(300)]),
    ],
)
def test_a_sync_by_any_identifier_is_no_problem(match: str, mode: str, fields: list[str]) -> None:
    assert adapter().problems(object="people", mode=mode, match=[match], fields=fields) == []


def test_a_mirror_may_not_block_those_who_leave() -> None:
    (problem,) = adapter(deletes="suppress").problems(object="people", mode="mirror", match=["id"], fields=[])

    assert "write mode upsert" in problem


@pytest.mark.parametrize(
    "config",
    [
        {"region": "eu"},
        {"login": LOGIN},
        {"login": LOGIN, "region": "au"},
        {"login": {"token": "t"}, "region": "eu"},
        {"login": {**LOGIN, "password": "two words"}, "region": "eu"},
        {"login": LOGIN, "region": "eu", "url": "http://track.customer.io"},
        {"login": LOGIN, "region": "eu", "deletes": "gdpr"},
        {"login": LOGIN, "region": "eu", "clears_with": "nothing"},
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CustomerIoConfig.model_validate(config)


@pytest.mark.parametrize(
    ("config", "address"),
    [
        ({"region": "us"}, "https://track.customer.io/api/v2/batch"),
        ({"region": "eu"}, "https://track-eu.customer.io/api/v2/batch"),
        ({"region": "eu", "url": "http://127.0.0.1:8080/"}, "http://127.0.0.1:8080/api/v2/batch"),
    ],
)
def test_the_region_is_a_matter_of_config_and_a_proxy_may_stand_before_it(config: dict[str, str], address: str) -> None:
    assert str(adapter(**config).encode(batch(Op.UPSERT, {"c-1": {}})).url) == address
