"""Alert groups: open alerts of one kind together, critical kinds first, with the operator's word for each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.core import formats
from console.core.api_models import ApiAlert

KINDS: Mapping[str, tuple[str, str]] = {
    "account": ("Account banned or locked by WhatsApp", "Its owner must appeal to WhatsApp."),
    "profile": ("Phone blocked by WhatsApp", "Check the connection. If it works, mark it as fixed."),
    "restricted": ("WhatsApp allows no new chats", "Leave the phone alone: the restriction ends by itself."),
    "credentials": ("Gateway rejects the API key", "Enter a valid key, then check the connection."),
    "session": ("Phone not linked", "Link the phone again at its gateway."),
    "cold_sends": ("New contacts cannot be reached", "WhatsApp seems to allow no new chats. Leave the phone alone."),
    "stuck": ("Messages are stuck at the gateway", "Restart the session at the gateway."),
    "silent": ("The gateway reports nothing", "Restart the session at the gateway."),
    "delivered_share": ("Too few messages are delivered", "Check what was sent before: the text, the list, the hour."),
    "undelivered_run": ("The last messages were not delivered", "Leave the phone alone for a day."),
    "reply_share": ("Too few people answer", "Check the text and who it goes to."),
    "health_paused": ("Campaigns stopped: poor health", "Campaigns go on when the phone has recovered."),
    "health": ("Health is low", "Open the phone to see what lowers it."),
    "quality": ("WhatsApp rates the number low", "Write to people who expect your messages."),
    "quota": ("WhatsApp's limit of new chats is reached", "Campaigns go on when WhatsApp resets its count."),
    "quota_warning": ("WhatsApp's limit of new chats is near", "Send less for now."),
    "even_gaps": ("Messages are sent too regularly", "Set a larger spread in Settings."),
    "same_text": ("The same text to everybody", "Write several versions of the text."),
    "cold_unanswered": ("New contacts do not answer", "Write to people who know you, or ask something."),
    "crowded_hour": ("Too much in one hour", "Set a lower limit per hour."),
    "invalid_numbers": ("Many numbers without WhatsApp", "Check the list of recipients."),
    "night": ("Messages at night", "Turn on quiet hours in Settings."),
}
"""For each kind of alert: its name for operators, and what they can do."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which open alerts the page shows. Empty: all."""

    package_id: str = ""
    severity: str = ""
    state: str = ""

    def fits(self, alert: ApiAlert) -> bool:
        return all(
            wanted in ("", value)
            for wanted, value in (
                (self.package_id, alert.package_id),
                (self.severity, alert.severity),
                (self.state, alert.state),
            )
        )


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """The open alerts of one kind and severity, the newest first."""

    kind: str
    severity: str
    alerts: tuple[ApiAlert, ...]

    @property
    def key(self) -> str:
        return f"{self.kind}-{self.severity}"

    @property
    def name(self) -> str:
        return kind_name(self.kind)

    @property
    def advice(self) -> str:
        return KINDS[self.kind][1] if self.kind in KINDS else ""

    @property
    def raised(self) -> tuple[ApiAlert, ...]:
        """The alerts that are not acknowledged."""
        return tuple(alert for alert in self.alerts if alert.state == "raised")

    @property
    def count(self) -> str:
        phones = formats.plural(len(self.alerts), "phone")
        acknowledged = len(self.alerts) - len(self.raised)
        return f"{phones}, {formats.count(acknowledged)} acknowledged" if acknowledged else phones


def groups(alerts: Sequence[ApiAlert], chosen: AlertFilter) -> tuple[AlertGroup, ...]:
    """The groups of the alerts that fit the filter. Critical ones come first, then those with alerts that are not
    acknowledged, then the largest."""
    found: dict[tuple[str, str], list[ApiAlert]] = {}
    for alert in alerts:
        if chosen.fits(alert):
            found.setdefault((alert.kind, alert.severity), []).append(alert)
    made = [AlertGroup(kind, severity, tuple(members)) for (kind, severity), members in found.items()]
    return tuple(
        sorted(made, key=lambda group: (group.severity != "critical", not group.raised, -len(group.alerts), group.name))
    )


def unacknowledged(alerts: Sequence[ApiAlert]) -> int:
    return sum(alert.state == "raised" for alert in alerts)


def kind_name(kind: str) -> str:
    return KINDS[kind][0] if kind in KINDS else kind.replace("_", " ").capitalize()


def title(alert: ApiAlert, phone: str, package: str) -> str:
    """An alert in one line: `Phone blocked by WhatsApp – Demo phone 4 (Demo)`."""
    return f"{kind_name(alert.kind)} – {phone} ({package})"
