"""The descriptions of the documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.tidy.tree import ROOT

FOLDER = ROOT / "docs/destinations/http"


def config_of(name: str, **secrets: str) -> Mapping[str, Any]:
    """The ``config`` of a document, with what its variables hold."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    filled = re.sub(r"\$\{env:(\w+)\}", lambda found: secrets[found[1]], text)
    config: Mapping[str, Any] = yaml.safe_load(filled)["config"]
    return config
