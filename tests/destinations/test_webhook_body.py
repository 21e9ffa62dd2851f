"""The request of a webhook is the webhook protocol of the project's public interface, and values pass through as they are."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import Batch, Op
from destinations.batch_protocol import body
from destinations.sandbox.batch import received
from destinations.webhook import Webhook, WebhookConfig
from tests.destinations.batches import batch

URL = "http://127.0.0.1:9/batch?tenant=7"
WITH_FIELDS = (Op.UPSERT, Op.UPDATE, Op.INSERT)


def of(op: Op, *rows: tuple[str, str, str, str], sync: str = "people_to_hook", object: str = "contacts") -> Batch:
    """A batch of texts as a plan holds them: id, key, fields, changed."""
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    arrays = [pa.array(list(column), pa.string()) for column in columns]
    arrow = pa.RecordBatch.from_arrays(arrays, ["id", "key", "fields", "changed"])
    return Batch(
        sync=sync,
        object=object,
        op=op,
        run="r-1",
        plan="p-1",
        number=7,
        first=0,
        idempotency_key="k-1",
        rows=arrow,
    )


def member(content: bytes, name: str) -> list[Any]:
    return [record[name] for record in json.loads(content, parse_float=Decimal)["records"]]


def test_a_batch_is_one_post_with_its_idempotency_key() -> None:
    request = Webhook(WebhookConfig(url=URL)).encode(batch(Op.UPSERT, {1: {"a": 1}}, idempotency_key="abc-123"))

    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["content-type"] == "application/json"
    assert request.headers.get_list("idempotency-key") == ["abc-123"]
    assert int(request.headers["content-length"]) == len(request.content)
    assert not any(name.startswith("webhook-") for name in request.headers)


@pytest.mark.parametrize("op", WITH_FIELDS)
def test_an_upsert_is_written_to_the_byte(op: Op) -> None:
    one = of(op, ("42", '{"external_id":42}', '{"email":"a@x.example","ltv":1.10}', '["email"]'))

    assert body(one) == (
        b'{"sync":"people_to_hook","object":"contacts","plan":"p-1","batch":7,"records":['
        b'{"op":"%b","id":"42","key":{"external_id":42},"fields":{"email":"a@x.example","ltv":1.10},"changed":["email"]}]}'
        % op.value.encode()
    )


def test_a_delete_has_neither_fields_nor_changes() -> None:
    gone = of(Op.DELETE, ("43", '{"external_id":43}', "{}", "[]"), ("44", '{"external_id":44}', "{}", "[]"))

    assert json.loads(body(gone)) == {
        "sync": "people_to_hook",
        "object": "contacts",
        "plan": "p-1",
        "batch": 7,
        "records": [
            {"op": "delete", "id": "43", "key": {"external_id": 43}},
            {"op": "delete", "id": "44", "key": {"external_id": 44}},
        ],
    }


@pytest.mark.parametrize(
    "value",
    [
        "null",
        "true",
        "1.10",
        "-0.0",
        "1E+2",
        "0.1000000000000000055511151231257827",
        "99999999999999999999999999999999999999",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "9007199254740993",
        '""',
        '" blank "',
        '"caf\u00e9 cafe\u0301"',
        '"\U0001f469\u200d\U0001f680 \u202e \ufeff \u2028"',
        '"</script>{{7*7}}%0d%0a=cmd()"',
        '"\\u0000\\ud83d\\ude80 \\"\\\\"',
        '{"b":[1,{"a":null}],"a":{}}',
    ],
)
def test_a_value_arrives_in_the_bytes_in_which_the_plan_holds_it(value: str) -> None:
    one = of(Op.UPSERT, ("1", f'{{"k":{value}}}', f'{{"f":{value}}}', '["f"]'))

    assert body(one).endswith(f'"key":{{"k":{value}}},"fields":{{"f":{value}}},"changed":["f"]}}]}}'.encode())


@pytest.mark.parametrize("op", [*WITH_FIELDS, Op.DELETE])
@given(ids=st.lists(st.text(), min_size=1, unique=True))
def test_any_text_is_an_id(op: Op, ids: list[str]) -> None:
    """Only ids are written as JSON here; an id that needs escaping must not change how its neighbours are written."""
    content = body(of(op, *((id, '{"k":1}', "{}", "[]") for id in ids)))

    assert member(content, "id") == ids
    assert [record.id for record in received(content).records] == ids


@given(names=st.tuples(st.text(min_size=1), st.text(min_size=1)))
def test_any_text_is_a_name_of_a_sync_or_an_object(names: tuple[str, str]) -> None:
    content = body(of(Op.DELETE, ("1", '{"k":1}', "{}", "[]"), sync=names[0], object=names[1]))

    assert (json.loads(content)["sync"], json.loads(content)["object"]) == names


def test_a_slice_of_a_batch_holds_its_own_records_only() -> None:
    whole = of(Op.UPSERT, *((str(n), f'{{"k":{n}}}', f'{{"f":{n}}}', '["f"]') for n in range(10)))
    part = Batch(
        sync="s",
        object="o",
        op=Op.UPSERT,
        run="r",
        plan="p",
        number=0,
        first=3,
        idempotency_key="k",
        rows=whole.rows.slice(3, 2),
    )

    assert member(body(part), "id") == ["3", "4"]
    assert member(body(part), "fields") == [{"f": 3}, {"f": 4}]


def test_the_same_batch_gives_the_same_bytes_each_time() -> None:
    """I6: one key stands for one body."""
    one = batch(Op.UPSERT, {n: {"name": "é", "price": Decimal("1.10")} for n in range(100)})
    hook = Webhook(WebhookConfig(url=URL))

    assert len({hook.encode(one).content for _ in range(3)}) == 1


def test_headers_of_the_operator_are_sent_beside_those_of_the_protocol() -> None:
    config = WebhookConfig.model_validate({"url": URL, "headers": {"Authorization": "Bearer t-1", "X-Tenant": "7"}})

    sent = Webhook(config).encode(batch(Op.UPSERT, {1: {}})).headers

    assert (sent["authorization"], sent["x-tenant"]) == ("Bearer t-1", "7")
    assert sent.get_list("content-type") == ["application/json"]


@pytest.mark.parametrize(
    "name",
    [
        "Idempotency-Key",
        "CONTENT-TYPE",
        "content-length",
        "Transfer-Encoding",
        "webhook-id",
        "Webhook-Signature",
        "webhook-timestamp",
    ],
)
def test_a_header_of_the_protocol_cannot_be_configured(name: str) -> None:
    """A second ``Idempotency-Key`` would join the first, and two batches could share what should tell them apart."""
    with pytest.raises(ValueError, match="sets itself"):
        WebhookConfig.model_validate({"url": URL, "headers": {name: "x"}})


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä"])
def test_a_header_needs_a_name_that_http_allows(name: str) -> None:
    with pytest.raises(ValueError, match="name of a header"):
        WebhookConfig.model_validate({"url": URL, "headers": {name: "x"}})


@pytest.mark.parametrize(
    "value", ["s3cret\r\nX-Injected: 1", "s3cret\n", "s3cret\0", "s3cret\x7f", "s3crét", "s3cret 語"]
)
def test_a_header_value_that_cannot_be_sent_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII") as refused:
        WebhookConfig.model_validate({"url": URL, "headers": {"Authorization": value}})

    assert "s3cr" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://a.example/", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("a.example/hook", "http or https"),
        ("https://", "http or https"),
        ("https://user:pw-4711@a.example/", "no user"),
        ("https://a.example/#part", "no user"),
        ("http://a.example/", "must be https"),
        ("http://127.0.0.1.a.example/", "must be https"),
    ],
)
def test_an_address_that_is_unsafe_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        WebhookConfig.model_validate({"url": url})

    assert "4711" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://[::1]/x", "http://localhost/x", "https://a.example/x?y=1"]
)
def test_an_address_over_tls_or_on_this_machine_is_taken(url: str) -> None:
    assert Webhook(WebhookConfig(url=url)).encode(batch(Op.DELETE, {1: {}})).url == httpx.URL(url)


def test_plain_http_to_another_machine_needs_consent() -> None:
    assert WebhookConfig(url="http://a.example/", allow_http=True).url == "http://a.example/"
