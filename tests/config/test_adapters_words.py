"""What an adapter says of its own `config` is shown, unless it quotes what was written there."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, SecretStr, ValidationError

from config.explain import problems_of
from config.locate import read_document

PLAIN = "needs a prefix, a dot and 20 letters"


def _quoting(value: SecretStr) -> SecretStr:
    raise ValueError(f"{value.get_secret_value()} is no token")


def _silent(_: SecretStr) -> SecretStr:
    raise ValueError(PLAIN)


def _naming(headers: dict[str, str]) -> dict[str, str]:
    raise ValueError(f"{sorted(headers)} cannot be")


class Loud(BaseModel):
    token: Annotated[SecretStr, AfterValidator(_quoting)]


class Quiet(BaseModel):
    token: Annotated[SecretStr, AfterValidator(_silent)]


class Naming(BaseModel):
    token: Annotated[dict[str, str], AfterValidator(_naming)]


@pytest.mark.parametrize(
    ("model", "written", "says"),
    [
        (Quiet, "hidden-1", f"`config.token` {PLAIN}"),
        (Loud, "hidden-2", "`config.token` is not valid"),
        (Naming, {"Bearer hidden-3": "x"}, "`config.token` is not valid"),
        (Naming, {"X-Key": "hidden-4"}, "`config.token` ['X-Key'] cannot be"),
    ],
)
def test_an_adapters_words_are_shown_unless_they_quote_the_value(
    model: type[BaseModel], written: Any, says: str
) -> None:
    data = {"token": written}
    with pytest.raises(ValidationError) as refused:
        model.model_validate(data)

    (problem,) = problems_of(refused.value, read_document("x.yaml", b"config: {}"), data, model, ("config",))

    assert problem.message == says
