"""Hand a message to a channel: Slack, PagerDuty, e-mail, Teams, a webhook and what else Apprise knows.

Apprise comes with the extra ``alerts``; without it a project that names channels is told so.
"""

from __future__ import annotations

import logging
from types import ModuleType

from engine.core.alert_message import Message
from engine.errors import ConfigurationError

apprise: ModuleType | None
try:
    import apprise
except ModuleNotFoundError:
    apprise = None

LOGS_WITH_SECRETS = ("apprise", "urllib3.connectionpool")
"""They name hosts and paths of channels, which hold tokens; what matters of it is what `send` returns."""
NOT_TAKEN = "the channel did not take it"
NOT_A_CHANNEL = "its URL is none that Apprise knows"


def require_apprise() -> ModuleType:
    """Apprise; raises `ConfigurationError` with the extra to install where it is not there."""
    if apprise is None:
        raise ConfigurationError(
            "Alerts are sent by Apprise, which is not installed",
            safe="Nothing was sent.",
            next="install the extra: pip install 'tidegate[alerts]'",
        )
    return apprise


def send(url: str, message: Message) -> str:
    """Send at once; returns why the channel did not take it, and nothing when it did. No error names the URL."""
    known = require_apprise()
    for name in LOGS_WITH_SECRETS:
        logging.getLogger(name).disabled = True
    # In this thread and without files of its own beside the project.
    asset = known.AppriseAsset(app_id="Tidegate", async_mode=False, secure_logging=True)
    channel = known.Apprise(asset=asset)
    if not channel.add(url):
        return NOT_A_CHANNEL
    kind = known.NotifyType.SUCCESS if message.is_recovery else known.NotifyType.FAILURE
    taken = channel.notify(
        title=message.title, body=message.body, notify_type=kind, body_format=known.NotifyFormat.TEXT
    )
    return "" if taken else NOT_TAKEN
