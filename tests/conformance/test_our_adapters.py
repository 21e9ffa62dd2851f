"""Our adapters hold what the kit demands of everybody's."""

from __future__ import annotations

from destinations.testing.ours import TestSandbox, TestSandboxWithJobs, TestWebhook

__all__ = ["TestSandbox", "TestSandboxWithJobs", "TestWebhook"]
