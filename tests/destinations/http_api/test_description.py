"""What may be described, what is said of a mistake and where, and what a description sends and believes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from destinations.base import (
    AllDelivered,
    Batch,
    CheckFailed,
    Delivered,
    Failed,
    Idempotency,
    Op,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
    Unavailable,
)
from destinations.http_api.adapter import HttpApi
from destinations.http_api.config import Call, HttpApiConfig, JobCalls, Operations
from destinations.http_api.holes import WORDS as WORDS_OF_HOLES
from destinations.http_api.holes import Given, filled
from destinations.http_api.reading import Answers, Results, StatusWords, Verdicts
from destinations.testing.http_api import ACME, TOKEN, AcmeFake
from tests.cli.door import tidegate
from tests.destinations.batches import batch
from tests.destinations.calls import asked, send
from tests.destinations.http_api.described import FOLDER, config_of
from tests.destinations.page import files_of, page_of
from tests.destinations.served import served
from tests.projects import TestProject

TWO = batch(Op.UPSERT, {1: {"a": None}, 2: {"a": Decimal("0.1")}})


def api(**changes: Any) -> HttpApi:
    return HttpApi(HttpApiConfig.model_validate({**ACME, **changes}))


class Answering:
    """An API that gives one answer to every call, and keeps what it was sent."""

    def __init__(self, status: int = 200, said: Any = None, headers: Mapping[str, str] = {}) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = status, json.dumps(said).encode() if said is not None else b"", headers

    @property
    def wire(self) -> httpx.MockTransport:
        def told(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            status, content, headers = self._answer
            return httpx.Response(status, content=content, headers=headers)

        return httpx.MockTransport(told)


def reply(destination: HttpApi, sent: Batch, status: int = 200, said: Any = None) -> Reply:
    return send(destination, sent, Answering(status, said).wire)


def test_the_shortest_description_of_the_documents_is_what_the_suite_judges() -> None:
    text = (FOLDER / "acme.yaml").read_text(encoding="utf-8")

    assert config_of("acme", ACME_TOKEN=TOKEN) == ACME
    assert len(text.splitlines()) <= 15


def test_the_page_shows_it_and_names_every_key_hole_and_part() -> None:
    page = page_of("http")
    named = set(re.findall(r"[`{ ]([$\w]+)[`:,]", page))
    models = (HttpApiConfig, Operations, Call, Answers, Results, StatusWords, Verdicts, JobCalls)

    assert files_of(page)["destinations/acme.yaml"] == (FOLDER / "acme.yaml").read_text(encoding="utf-8")
    assert {key for model in models for key in model.model_fields} | set(WORDS_OF_HOLES) <= named


@pytest.mark.slow
def test_a_sync_to_a_described_api_delivers_everybody_who_consents_and_then_has_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    project, api = tmp_path / "shop", AcmeFake(HttpApi.spec, tmp_path)
    tidegate(capsys, "init", str(project))
    description = yaml.safe_load((FOLDER / "acme.yaml").read_text(encoding="utf-8"))
    with served(api) as url:
        description["config"]["url"] = f"{url}/v2"
        # The sync of the new project delivers to `crm`.
        crm = {**description, "name": "crm", "clearance": "confidential"}
        (project / "destinations/crm.yaml").write_text(yaml.safe_dump(crm))

        checked = tidegate(capsys, "destination", "check", "--project", str(project), "--json").document
        (first,) = tidegate(capsys, "run", "--all", "--project", str(project), "--json").document
        (second,) = tidegate(capsys, "run", "--all", "--project", str(project), "--json").document

    assert checked[0]["ok"], checked
    assert first["status"] == "succeeded", first
    assert first["delivered"]["inserts"] == len(api.held()) > 500
    assert api.complaints == []
    assert second["status"] == "unchanged"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_description_of_the_documents_is_a_destination_that_is_valid(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = TestProject(tmp_path, "http://127.0.0.1:9/batch")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    project.write(f"destinations/{path.stem}.yaml", document)
    for name in ("ACME_TOKEN", "ITERABLE_KEY", "ONESIGNAL_KEY", "CUSTOMERIO_SITE", "CUSTOMERIO_KEY"):
        monkeypatch.setenv(name, "a-secret-of-the-test")

    told = tidegate(capsys, "validate", "--project", str(project.folder))

    assert told.code == 0, told.out


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("$fields", "$feilds", 9, "is no hole: did you mean `$fields`?"),
        ("$each: {id: $id}", "$eech: {id: $id}", 10, "did you mean `$each`?"),
        ("status: {at: status,", "status: {att: status,", 13, "did you mean `at`?"),
        ("operations:", "opperations:", 8, "did you mean `operations`?"),
        ("upsert:", "upsrt:", 9, "did you mean `upsert`?"),
        ("limits: {records: 100}", "limits: {records: 0}", 6, "at least 1"),
        ("https://api", "http://api", 4, "must be https"),
        ("path: /contacts/batch", "path: contacts/batch", 9, "begins with `/`"),
        ("$id, properties", "{$key: id, of: 1}, properties", 9, "stands alone in its mapping"),
        ("header: Idempotency-Key", "header: Idempotency Key", 7, ""),
        ("url: https://api.acme.example/v2", "url: https://10.0.0.1/v2", 4, "an address of a private network"),
    ],
)
def test_a_mistake_is_told_with_file_and_line_and_what_is_near(
    old: str,
    new: str,
    line: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = TestProject(tmp_path, "http://127.0.0.1:9/batch")
    text = (FOLDER / "acme.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (project.folder / "destinations/acme.yaml").write_text(text.replace(old, new))
    monkeypatch.setenv("ACME_TOKEN", TOKEN)

    told = tidegate(capsys, "validate", "--project", str(project.folder))

    assert told.code == 2
    assert f"destinations/acme.yaml:{line}: " in told.out, told.out
    assert words in told.out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answers": None}, "needs `answers`"),
        ({"operations": {"upsert": {"path": "/x", "body": [{"$each": 1}, "$id"]}}}, "beside `\\$each`"),
        ({"operations": {"upsert": {"path": ["x", {"$each": "$id"}]}}}, "`path` cannot hold"),
        ({"operations": {"upsert": {"path": ["x", "$id"]}}, "limits": {"records": 101}}, "at most 100"),
        ({"operations": {"upsert": {"path": "/x", "body": {"$each": {"$each": 1}}}}}, "inside another"),
        ({"operations": {"upsert": {"path": "/x", "body": {"$merge": {"a": 1}}}}}, "must be a list"),
        ({"operations": {}}, "describes no operation"),
        ({"url": "https://a.example/?b=c"}, "must carry no query"),
        ({"check": {"path": ["x", "$id"]}}, "about no record"),
        ({"headers": {"Authorization": "x"}}, "sets itself"),
        ({"login": {"header": "X-Key", "value": "a\nb"}}, "visible ASCII"),
        ({"answers": {"records": [{"id": "id"}]}}, "either `status` or `means`"),
        ({"answers": {"records": [{"id": "id", "index": "n", "means": "rejected"}]}}, "one of `id`, `index`"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        api(**changes)


def test_a_call_is_sent_as_it_is_described_and_its_holes_are_filled() -> None:
    body = {
        "$$token": "t",
        "kind": "$object",
        "list": {"$each": {"$merge": [{"type": "x"}, "$key", "$fields", {"last": {"$key": "id"}}]}},
    }
    one = Answering(200, {})
    destination = api(
        operations={"upsert": {"method": "PUT", "path": ["of", "$object"], "body": body}},
        answers="all",
        clears_with="empty",
        headers={"X-Tenant": "7"},
    )

    assert send(destination, TWO, one.wire) == AllDelivered()

    (request,) = one.requests
    assert (request.method, request.url.path) == ("PUT", "/v2/of/contacts")
    assert json.loads(request.content, parse_float=Decimal) == {
        "$token": "t",
        "kind": "contacts",
        "list": [
            {"type": "x", "id": 1, "a": "", "last": 1},
            {"type": "x", "id": 2, "a": Decimal("0.1"), "last": 2},
        ],
    }
    headers = {"authorization": f"Bearer {TOKEN}", "idempotency-key": "k0", "x-tenant": "7"}
    assert {name: request.headers[name] for name in headers} == headers


def test_a_key_in_a_path_is_one_segment_of_it() -> None:
    one = Answering(200, {})
    destination = api(operations={"delete": {"method": "DELETE", "path": ["users", "$id"]}}, answers=None)

    send(destination, batch(Op.DELETE, {"../a/b?c#d%41": {}}), one.wire)

    assert one.requests[0].url.raw_path == b"/v2/users/..%2Fa%2Fb%3Fc%23d%2541"


def test_records_that_are_sent_one_by_one_are_judged_one_by_one_under_keys_of_their_own() -> None:
    destination = api(
        operations={"delete": {"method": "DELETE", "path": ["users", "$id"], "delivered": [404]}}, answers=None
    )
    statuses, keys = iter([204, 404, 422]), list[str]()

    def told(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        return httpx.Response(next(statuses))

    said = send(destination, batch(Op.DELETE, {1: {}, 2: {}, 3: {}}), httpx.MockTransport(told))

    assert isinstance(said, Outcomes)
    assert said.outcomes[:2] == (Delivered("1"), Delivered("2"))
    assert isinstance(said.outcomes[2], Rejected)
    assert len(set(keys)) == 3


WORDS = {"at": "s", "delivered": ["ok", 1], "rejected": ["bad"], "failed": ["busy"]}


@pytest.mark.parametrize(
    ("answers", "said", "expected"),
    [
        ({"records": [{"list": "r", "id": "id", "status": WORDS}]}, {"r": [{"id": 1, "s": "ok"}]}, {"1": Delivered}),
        ({"records": [{"list": "r", "id": "id", "status": WORDS}]}, {"r": [{"id": "1", "s": "odd"}]}, {}),
        ({"records": [{"list": "r", "id": "id", "status": WORDS}]}, {"r": [{"id": "1", "s": True}]}, {}),
        ({"records": [{"list": "r", "id": "id", "status": WORDS}]}, {}, {}),
        ({"records": [{"id": "id", "status": WORDS}]}, [{"id": "2", "s": "busy"}], {"2": Failed}),
        ({"records": [{"by_place": True, "status": WORDS}]}, [{"s": "bad"}, {"s": 1}], {"1": Rejected, "2": Delivered}),
        (
            {"records": [{"list": "e", "index": "n", "means": "rejected"}], "others": "delivered"},
            {"e": [{"n": 1}]},
            {"2": Rejected, "1": Delivered},
        ),
        (
            {"records": [{"list": "e.bad", "means": "rejected"}], "others": "failed"},
            {"e": {"bad": ["1"]}},
            {"1": Rejected, "2": Failed},
        ),
        ("all", {}, None),
        ("all", None, None),
    ],
)
def test_records_are_what_the_answer_says_of_them_in_words_that_are_described(
    answers: Any, said: Any, expected: dict[str, type] | None
) -> None:
    found = reply(api(answers=answers), TWO, said=said)

    if expected is None:
        assert found == AllDelivered()
    else:
        assert isinstance(found, Outcomes)
        assert {outcome.id: type(outcome) for outcome in found.outcomes} == expected


ERRORS = {"records": [{"list": "e", "index": "n", "means": "rejected"}], "others": "delivered"}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (ERRORS, []),
        (ERRORS, "ok"),
        (ERRORS, None),
        (ERRORS, {"e": {"n": 1}}),
        (ERRORS, {"e": [{"n": 2}]}),
        (ERRORS, {"e": [{"n": True}]}),
        ({**ERRORS, "needs": ["ok"]}, {"e": []}),
        ({**ERRORS, "lacks": ["meta.error"]}, {"meta": {"error": "x"}}),
        ({**ERRORS, "counts": ["good", "bad"]}, {"good": 1, "bad": 0}),
        ({"records": [{"by_place": True, "means": "delivered"}]}, [{}, {}, {}]),
        ({"records": [{"list": "r", "id": "id", "means": "delivered"}]}, {"r": [{"id": "3"}]}),
        ("all", []),
        ("all", "maintenance"),
    ],
)
def test_an_answer_that_is_not_as_described_is_not_believed(answers: Any, said: Any) -> None:
    found = reply(api(answers=answers), TWO, said=said)

    assert isinstance(found, Unavailable)
    assert found.applied_unknown


def test_a_code_and_words_come_with_a_rejection() -> None:
    answers = {"records": [{"list": "e", "index": "n", "means": "rejected", "code": "c", "message": "m.text"}]}

    said = reply(api(answers=answers), TWO, said={"e": [{"n": 0, "c": "too_long", "m": {"text": "a\nb"}}]})

    assert said == Outcomes((Rejected("1", "too_long", "a b"),))


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (200, {"error": {"code": "slow"}}, Throttled),
        (400, {"error": {"code": "down"}}, Unavailable),
        (200, {"error": {"code": "bad"}}, Refused),
        (422, {"error": {"code": "gone"}}, Stop),
        (403, {"error": {"code": "slow"}}, Throttled),
        (403, {"error": {"code": "bad"}}, Stop),
        (400, {"error": {"code": "another"}}, Refused),
        (400, {}, Refused),
        (401, {}, Stop),
        (404, {}, Stop),
        (429, {}, Throttled),
        (500, {}, Unavailable),
    ],
)
def test_a_word_of_an_answer_means_more_than_its_status(status: int, said: Any, kind: type) -> None:
    errors = {"at": "error.code", "throttled": ["slow"], "unavailable": ["down"], "rejected": ["bad"], "stop": ["gone"]}

    assert isinstance(reply(api(errors=errors), TWO, status, said), kind)


def test_statuses_mean_what_is_described() -> None:
    statuses = {"throttled": [420], "unavailable": [418], "rejected": [409]}
    destination = api(statuses=statuses)

    kinds = {status: type(reply(destination, TWO, status)) for status in (409, 418, 420, 400, 429, 500)}

    assert kinds == {409: Refused, 418: Unavailable, 420: Throttled, 400: Stop, 429: Stop, 500: Stop}


def test_headers_of_its_own_tell_when_there_are_calls_again() -> None:
    destination = api(quota={"remaining": "X-Calls-Left", "reset": "X-Calls-Reset"})
    answer = httpx.Response(200, headers={"x-calls-left": "0", "x-calls-reset": "12"})

    waits = destination.exhausted_for(answer)

    assert waits is not None
    assert waits.total_seconds() == 12
    assert api().exhausted_for(answer) is None


def test_what_a_destination_can_do_is_what_is_described() -> None:
    destination = api(idempotency="natural", match=["email"], title="Acme", resubscribes=True)

    assert destination.spec.operations == {Op.UPSERT, Op.DELETE}
    assert (destination.spec.limits.records, destination.spec.idempotency) == (100, Idempotency.NATURAL)
    assert (destination.spec.match_keys, destination.spec.title) == (("email",), "Acme")
    assert HttpApi.spec.title == "HTTP API", "another destination is described anew"
    assert api().spec.idempotency is Idempotency.KEYED


def test_a_field_of_the_key_that_the_sync_does_not_match_by_is_a_problem() -> None:
    destination = api(operations={"upsert": {"path": ["x", {"$key": "email"}]}}, answers=None)

    said = destination.problems(object="contacts", mode="upsert", match=["id"], fields=[])

    assert list(said) == ["the description sends `$key: email`, and `match` has no `email`"]


@pytest.mark.parametrize(("status", "words"), [(401, "credential"), (404, "does not exist"), (500, "500")])
def test_a_check_is_the_call_that_is_described_for_it(status: int, words: str) -> None:
    destination, good, bad = api(check={"method": "GET", "path": "/me"}), Answering(200, {}), Answering(status)

    assert asked(destination.check, good.wire).startswith("it answers")
    assert (good.requests[0].method, good.requests[0].url.path) == ("GET", "/v2/me")
    with pytest.raises(CheckFailed, match=words):
        asked(destination.check, bad.wire)


def test_a_hole_of_a_job_is_filled_with_its_id() -> None:
    assert filled(["jobs", "$job"], Given((), "x", job="j1")) == ["jobs", "j1"]
