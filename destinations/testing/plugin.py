"""The pytest plugin: it makes failures of the suite's checks as readable as those of one's own tests.

Loaded in every run of pytest where Tidegate is installed, so it imports nothing.
"""

from __future__ import annotations

import pytest

CHECKS = ("authorisation", "jobs", "outcomes", "payloads", "questions", "secrecy", "suite", "trouble")

pytest.register_assert_rewrite(*(f"destinations.testing.{name}" for name in CHECKS))
