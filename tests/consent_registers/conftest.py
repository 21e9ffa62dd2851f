"""A project and a destination, as the acceptance tests have them."""

from tests.acceptance.conftest import address, played, project, receiver

__all__ = ["address", "played", "project", "receiver"]
