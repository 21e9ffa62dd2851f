"""An adapter that submits jobs passes the whole suite."""

from __future__ import annotations

from tests.conformance.bulk import TestAcmeBulk

__all__ = ["TestAcmeBulk"]
