"""``clearance`` in ``tidegate.yaml``: the project's own words for how sensitive a column is, and what follows from them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from config.model import Model
from config.problems import Code, did_you_mean
from config.values import SomeTexts, Text, refusal

_USUAL_ORDER = ("public", "internal", "confidential", "restricted")


class Clearance(Model):
    """The words of `classification` and `clearance`, least sensitive first, and what they allow."""

    order: Annotated[SomeTexts, Field(max_length=32)] = _USUAL_ORDER
    unclassified: Text | None = Field(
        default=None, description="what a column is when its contract is silent: `internal`, else the last of `order`"
    )
    show_up_to: Text | None = Field(
        default=None, description="the most sensitive values that people see: `internal`, else the first of `order`"
    )
    hashed: dict[Text, Text] = Field(
        default={}, description="what a class counts as when only a hash leaves; a class that is not named stays"
    )

    @model_validator(mode="after")
    def _words_are_known(self) -> Self:
        for key, word in (("unclassified", self.unclassified), ("show_up_to", self.show_up_to)):
            if word is not None and word not in self.order:
                raise _unknown(word, self.order, key)
        for above, below in self.hashed.items():
            for word in (above, below):
                if word not in self.order:
                    raise _unknown(word, self.order, "hashed")
            if self.order.index(below) > self.order.index(above):
                message = f"makes `{above}` more sensitive by hashing; a hash may only lower a class"
                raise refusal(Code.OUT_OF_RANGE, message, "hashed")
        return self


UNKNOWN = "must be a class of the order in `tidegate.yaml`"
"""What to say of a word that the order lacks."""


def _unknown(word: str, order: tuple[str, ...], key: str) -> PydanticCustomError:
    hint = did_you_mean(word, order)
    return refusal(Code.BAD_VALUE, f"{UNKNOWN}, and `{word}` is none" + (f" ({hint})" if hint else ""), key)
