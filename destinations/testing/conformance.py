"""The whole suite: a test class that names an adapter, a config and a fake inherits every check from `Conformance`.

A check compares what the fake holds in the end with what was sent. What an adapter or its API cannot do is skipped
with the reason.
"""

from __future__ import annotations

from destinations.testing.authorisation import Authorisation
from destinations.testing.jobs import Jobs
from destinations.testing.outcomes import Outcomes
from destinations.testing.payloads import Payloads
from destinations.testing.questions import Questions
from destinations.testing.readings import Readings
from destinations.testing.secrecy import Secrecy
from destinations.testing.trouble import Trouble


class Conformance(Payloads, Outcomes, Jobs, Trouble, Authorisation, Questions, Readings, Secrecy):
    """Everything that an adapter must hold."""
