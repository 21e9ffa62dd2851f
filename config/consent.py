"""``consent:`` of a sync, and what a destination asks of every sync that writes to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic import StringConstraints as Constraints

from config.model import Model, is_mapping_with
from config.problems import Code
from config.values import Name, Names, Text, refusal

Withdrawal: TypeAlias = Literal["delete", "unsubscribe", "ignore"]
_REASON_WANTED = 'say why nobody needs to be asked: `consent: {none: "why"}`'


class ConsentDefaults(Model):
    """What people must agree to before anything about them is sent; a sync inherits it, and may ask for more.

    ``policy`` says whether one of several ``purposes`` is enough; when silent it takes all of them.
    """

    purpose: Name | None = None
    purposes: Annotated[Names, Field(min_length=1, max_length=20)] | None = None
    policy: Literal["any", "all"] | None = None
    channel: Name | None = None
    on_withdrawal: Withdrawal | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """The purposes, whichever way they are written; empty when none is."""
        return (self.purpose,) if self.purpose is not None else self.purposes or ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.purpose is not None and self.purposes is not None:
            raise refusal(Code.BAD_VALUE, "needs either `purpose` or `purposes`, and not both", "purposes")
        if self.policy is not None and self.purposes is None:
            raise refusal(Code.BAD_VALUE, "belongs to `purposes`", "policy")
        return self


class ConsentRule(ConsentDefaults):
    """A row is sent only if the subject in column ``subject`` consents; no decision means no."""

    subject: Text


class NoConsent(Model):
    """The operator's statement that this sync needs nobody's consent, and why."""

    reason: Annotated[str, Constraints(strip_whitespace=True, max_length=1000)] = Field(alias="none")

    @model_validator(mode="after")
    def _reason_given(self) -> Self:
        if not self.reason:
            raise refusal(Code.MISSING_KEY, _REASON_WANTED)
        return self


def _consent_form(value: Any) -> str:  # a discriminator sees whatever was written
    return "without consent" if isinstance(value, NoConsent) or is_mapping_with(value, "none") else "with consent"


def also_none(schema: dict[str, Any]) -> None:
    """The short form, which only the whole file can judge, belongs to the schema too."""
    schema["oneOf"].append({"const": "none", "type": "string"})


Consent: TypeAlias = Annotated[
    Annotated[ConsentRule, Tag("with consent")] | Annotated[NoConsent, Tag("without consent")],
    Discriminator(_consent_form),
]
