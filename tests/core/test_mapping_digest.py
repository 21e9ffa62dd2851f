"""The digest of a mapping: another one exactly when the same row may give another record."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from engine.core.canonical import digest_of
from engine.core.consent_rule import ConsentRule, OnWithdrawal, Policy
from engine.core.desired import FieldMapping, FieldType, Mapping, MatchKey, Mode, OnNull, mapping_digest
from engine.core.preparation import RULES, Hash, Normalisation, Preparation

FIELD = FieldMapping("name", "name")
BASE = Mapping("people", Mode.UPSERT, (MatchKey("id", "id"),), (FIELD,))
HASHED = Preparation(Normalisation.EMAIL, Hash.SHA256)
TRIMMED = Preparation(Normalisation.EMAIL)
RULE = ConsentRule(("news",), "mail")
TWO = replace(RULE, purposes=("news", "ads"))
OTHERS = [
    replace(BASE, object="contacts"),
    replace(BASE, mode=Mode.MIRROR),
    replace(BASE, match=(MatchKey("id", "number"),)),
    replace(BASE, match=(MatchKey("number", "id"),)),
    replace(BASE, match=(MatchKey("id", "id", prepare=HASHED),)),
    replace(BASE, fields=()),
    *(
        replace(BASE, fields=(field,))
        for field in (
            replace(FIELD, target="full_name"),
            replace(FIELD, column="full_name"),
            replace(FIELD, type=FieldType.STRING),
            replace(FIELD, on_null=OnNull.SKIP),
            replace(FIELD, prepare=HASHED),
            replace(FIELD, prepare=TRIMMED),
        )
    ),
    *(
        replace(BASE, consent=rule)
        for rule in (
            RULE,
            replace(RULE, subject="phone"),
            replace(RULE, channel="email"),
            replace(RULE, on_withdrawal=OnWithdrawal.IGNORE),
            replace(RULE, on_withdrawal=OnWithdrawal.UNSUBSCRIBE),
            TWO,
            replace(TWO, policy=Policy.ANY),
        )
    ),
]


def test_whatever_changes_a_record_changes_the_digest() -> None:
    digests = [mapping_digest(mapping) for mapping in (BASE, *OTHERS)]

    assert [pair for pair in combinations(range(len(digests)), 2) if digests[pair[0]] == digests[pair[1]]] == []


def test_who_a_row_is_about_changes_no_record_where_nobody_is_asked() -> None:
    assert mapping_digest(replace(BASE, person="mail")) == mapping_digest(BASE)


def test_a_plain_rule_and_a_value_that_leaves_as_it_is_say_no_more_than_they_did_before_there_were_others() -> None:
    fields = [["name", "name", None, "clear"]]

    assert mapping_digest(replace(BASE, consent=RULE)) == digest_of(
        ["people", "upsert", [["id", "id"]], fields, ["news", "mail"]]
    )


def test_new_rules_of_preparation_are_a_new_digest() -> None:
    match, fields = [["id", "id", "email", "sha256", RULES]], [["name", "name", None, "clear"]]

    assert mapping_digest(replace(BASE, match=(MatchKey("id", "id", prepare=HASHED),))) == digest_of(
        ["people", "upsert", match, fields, None]
    )
