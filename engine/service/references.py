"""A version as a person names it: ``customers@42``."""

from __future__ import annotations

import re

from engine.core.names import VersionNumber, name_of
from engine.errors import ConfigurationError
from engine.service.app import App
from engine.steps.facts import Dataset

_VERSION = re.compile(r"(?P<dataset>[a-z][a-z0-9_-]{0,62}(@[0-9]+)?)@(?P<version>[1-9][0-9]{0,17})")


def referred(app: App, reference: str) -> tuple[Dataset, VersionNumber]:
    """The dataset and the version that ``customers@42`` or ``customers@1@42`` names.

    Raises `ConfigurationError` for a text of another form, a dataset that the project does not have, and a name of several
    majors.
    """
    match = _VERSION.fullmatch(reference)
    if match is None:
        raise ConfigurationError(
            f"`{reference}` names no version",
            safe="Nothing was changed.",
            next="say which one as `customers@42`, or `customers@1@42` where the dataset has several majors",
        )
    dataset = app.dataset(match["dataset"])
    majors = [id for id in app.dataset_names if name_of(id) == match["dataset"]]
    if len(majors) > 1:
        told = " or ".join(f"`{id}@{match['version']}`" for id in majors)
        raise ConfigurationError(
            f"`{reference}` may be a version of {' or of '.join(majors)}",
            safe="Nothing was changed.",
            next=f"say {told}",
        )
    return dataset, VersionNumber(int(match["version"]))
