"""A project and a destination, as the acceptance tests have them."""

from tests.acceptance.conftest import project, receiver

__all__ = ["project", "receiver"]
