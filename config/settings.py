"""Process settings from ``TIDEGATE_*`` variables: which project, which environment, who acts, how loud."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.problems import Code, InvalidProject, Problem
from config.values import Name

PREFIX = "TIDEGATE_"


def operating_system_actor() -> str:
    """``user@host`` of this process; a user without a name in the system is shown by number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


class Settings(BaseSettings):
    """What the process is told from outside. ``ledger_override`` replaces the environment's ledger, for rescue work."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    project: Path | None = None
    env: Name | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    actor: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        default_factory=operating_system_actor
    )
    ledger_override: SecretStr | None = None


def read_settings() -> Settings:
    """The settings of this process; raises `InvalidProject` that names each variable at fault and not its value."""
    try:
        return Settings()
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False, include_input=False):
            variable = PREFIX + str(detail["loc"][0]).upper()
            expected = detail.get("ctx", {}).get("expected")
            message = f"`{variable}` must be {expected}" if expected else f"`{variable}` is not valid"
            problems.append(Problem("environment", 0, detail["loc"], Code.BAD_VALUE, message))
        raise InvalidProject(problems) from None
