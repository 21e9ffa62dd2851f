"""A value is brought into the form that a platform asks for, and hashed: as documented, and whatever it is.

Vectors are those of Meta's customer information parameters, of Google's `google-ads-datamanager-util` and of their
customer match guide; equivalents are what their pages write for one value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ibis.expr.types import Table

from config.sync import Form
from engine.core.preparation import Hash, Normalisation, Preparation, lost, normalised, prepared
from engine.segments.compute import Compute
from tests.core.preparation_model import FORMS, sha256
from tests.property.effort import examples
from tests.property.tables import Tables

VECTORS = [
    ("email", " John_Smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
    ("email", "mary@example.com", "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"),
    ("email_google", "Jane.Doe+x@Gmail.com", "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"),
    ("phone", "+1 (650) 555-1212", "1e231c66011e7a2d867a9cfae267a6aff103cf4913640b6e71a99850fc0ffbc8"),
    ("phone_digits", "+1 (650)555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    ("phone_digits", "+1 (555) 987-6543", "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e"),
    ("name", "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
    ("region", "CA", "6959097001d10501ac7d54c0bdb8db61420f658f2922cc26e46d536119a31126"),
    ("country", "US", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
]
EQUIVALENTS = {
    "email": ["user@example.com", "USER@Example.com ", "\u00a0User@EXAMPLE.COM\r\n", "\ufeffuser@example.com"],
    "email_google": ["janedoe@gmail.com", "Jane.Doe@gmail.com", "j.a.n.e.d.o.e+news+x@GMAIL.com"],
    "email_reddit": ["ab@x.example", "a.b@x.example", "A.B+c@X.example"],
    "phone": [
        "+442079460018",
        "0044 20 7946 0018",
        "+44 (0)20 7946-0018",
        "(+44) 20.7946/0018",
        "+44\u201120\u00a079460018",
    ],
    "name": ["mary ann", " Mary  Ann ", "MARY ANN!", "mary\u00a0ann"],
    "name_google": ["jean-claude x", " Jean-Claude  X"],
    "city": ["newyork", "New York", "NEW-YORK 2"],
    "region": ["newsouthwales", "New South Wales."],
    "postal_code": ["94025", "94025-1234", " 94025 1234"],
    "country": ["us", "US", " Us "],
}
FORMLESS = {
    "email": ["", " ", "nobody", "a@b@c.example", "a b@c.example", "@c.example", "a@"],
    "email_google": [".@gmail.com", "+x@googlemail.com", "nobody"],
    "email_reddit": ["+x@any.example"],
    "phone": [
        "",
        "6505551212",
        "(650) 555-1212",
        "+1 650 555 1212 ext 3",
        "+0123456789",
        "+123",
        "++16505551212",
        "call me",
    ],
    "phone_digits": ["16505551212", "+1234567890123456"],
    "name": ["", "...", " "],
    "city": ["123"],
    "country": ["USA", "United States", "1a", ""],
}
LETTERS = st.text(
    st.one_of(
        st.sampled_from(" .+-@()/0123456789aAzZ\t\n\u00a0\u2009\u200b\u2060\ufeff\u201d\u2011\u0130\u1e9e"),
        st.characters(max_codepoint=0x52F, exclude_categories=("Cn", "Cs"), exclude_characters="\0"),
    ),
    max_size=12,
)
WRITTEN = st.one_of(
    LETTERS,
    st.tuples(LETTERS, st.sampled_from(["@gmail.com", "@GoogleMail.com", "@x.example"]), LETTERS).map("".join),
    st.tuples(st.sampled_from(["+", "00", " +", "(+"]), st.text("0123456789 -()", max_size=20)).map("".join),
    st.from_regex(r"\A\s?[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}\Z"),
    st.from_regex(r"\A[0-9]{5}-?[0-9]{4}\Z"),
)


@dataclass(frozen=True)
class Shaped:
    """Values in a form, their hashes, and the form of what came out."""

    form: list[str | None]
    hashed: list[str | None]
    again: list[str | None]


Shape = Callable[[str, Sequence[str | None]], Shaped]


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shape]:
    """One query a form, compiled once."""
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as session:
        tables = Tables(session, "preparation")
        given_rows = tables.given("values", pa.schema([("n", pa.int64()), ("v", pa.string())]))
        for how in Normalisation:
            tables.computed(how.value, _shaped(given_rows, how))

        def shaped(form: str, values: Sequence[str | None]) -> Shaped:
            tables.put("values", ({"n": n, "v": value} for n, value in enumerate(values)))
            tables.fill(form)
            rows = sorted(tables.fetch(form), key=lambda row: row["n"])
            return Shaped(*([row[name] for row in rows] for name in ("form", "hashed", "again")))

        yield shaped


def _shaped(rows: Table, how: Normalisation) -> Table:
    once = rows.select("n", "v", form=normalised(rows.v, how))
    complete = once.form if how is not Normalisation.PHONE_DIGITS else "+" + once.form
    return once.select(
        "n", "form", hashed=prepared(once.v, Preparation(how, Hash.SHA256)), again=normalised(complete, how)
    )


@pytest.mark.parametrize(("form", "written", "hashed"), VECTORS)
def test_the_platforms_own_vectors_come_out(shape: Shape, form: str, written: str, hashed: str) -> None:
    assert shape(form, [written]).hashed == [hashed]


@pytest.mark.parametrize(("form", "values"), EQUIVALENTS.items(), ids=EQUIVALENTS)
def test_what_the_platforms_call_equal_has_one_form(shape: Shape, form: str, values: list[str]) -> None:
    assert set(shape(form, values).form) == {values[0]}


@pytest.mark.parametrize(("form", "values"), FORMLESS.items(), ids=FORMLESS)
def test_what_has_no_such_form_is_null_and_never_a_hash_of_something_else(
    shape: Shape, form: str, values: list[str]
) -> None:
    assert shape(form, values).form == [None] * len(values)
    assert shape(form, values).hashed == [None] * len(values)


def test_null_stays_null_and_blanks_have_no_hash(shape: Shape) -> None:
    assert shape("exact", [None, ""]).hashed == [None, None]
    assert shape("email", [None]).form == [None]


def test_each_platforms_rule_is_its_own(shape: Shape) -> None:
    address = "Jane.Doe+x@gmail.com"
    assert shape("email", [address]).form == ["jane.doe+x@gmail.com"]
    elsewhere = shape("email_google", [address, "Jane.Doe+x@other.example"])
    assert elsewhere.form == ["janedoe@gmail.com", "jane.doe+x@other.example"]


def test_every_form_of_a_file_is_one_of_the_engine() -> None:
    assert set(get_args(Form)) == {form.value for form in Normalisation} == {form.value for form in FORMS}


@pytest.mark.parametrize("form", list(Normalisation))
@examples(8)
@given(values=st.lists(WRITTEN, max_size=60))
def test_every_form_agrees_with_plain_python_and_is_reached_in_one_step(
    shape: Shape, form: Normalisation, values: list[str]
) -> None:
    found = shape(form, values)

    assert found.form == [FORMS[form](value) for value in values]
    assert found.hashed == [sha256(value) for value in found.form]
    assert found.again == found.form


def test_only_what_is_there_and_has_no_form_counts_as_lost(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as session:
        rows = session.rows(pa.table({"v": [None, "", " ", "nobody", "a@b.example"]}))
        counted = session.single(rows.aggregate(n=rows.count(where=lost(rows.v, Preparation(Normalisation.EMAIL)))))
        assert counted["n"] == 1
