"""How long the properties are tried: the same few seconds in every check, and as long as asked for at night."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

MULTIPLIER = int(os.environ.get("TIDEGATE_TEST_EXAMPLES", "1"))
"""How many times the usual number of examples."""

PHASES = tuple(Phase) if os.environ.get("TIDEGATE_TEST_SHRINK", "yes") == "yes" else (Phase.explicit, Phase.generate)
"""Whether a failing example is made small: a person wants that, and whoever asks only whether one fails does not."""

PATIENCE = pytest.mark.timeout(300 * MULTIPLIER)
"""The time limit of a test, in seconds, grows with its examples."""


def examples(count: int, steps: int = 50) -> settings:
    """Settings for ``count`` examples: always the same ones, or others each time when more are asked for.

    ``steps`` bounds the length of an example that is a story of steps.
    """
    return settings(
        stateful_step_count=steps,
        phases=PHASES,
        max_examples=count * MULTIPLIER,
        derandomize=MULTIPLIER == 1,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
