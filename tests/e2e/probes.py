"""Probe: messages that need every service, as a proof that all of them work and do not only answer `ready`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError
from e2e.system import RunningSystem, recipients

PACKAGE = "probe"
PROFILES = 4
REPLIES = 4
"""Each is for another customer, so that they pass through several partitions."""
WIDE = {"per_hour": 3_000, "per_3_hours": 9_000, "per_day": 20_000, "unanswered_per_30_days": None}
REPORTED = ("delivered", "read")
SENT = ("sent", *REPORTED)


@dataclass
class Probe:
    """Sends one open message to a recipient a profile, and some replies, and watches them.

    Ingress accepts them and shows them as `sent`. Between these the router, the pacer and the sender do their part.
    Stats counts them.
    """

    system: RunningSystem
    number: int
    _messages: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """The ids of the messages by their Idempotency-Keys; None until ingress has accepted the message."""

    @classmethod
    async def prepare(cls, system: RunningSystem) -> None:
        """Create the package of all probes of this system."""
        gap = {"min_seconds": 1, "max_seconds": 1}
        await system.create_package(PACKAGE, PROFILES, profile_limits=WIDE, gap=gap)

    def __post_init__(self) -> None:
        self._messages = {f"probe-{self.number}-{each}": None for each in range(1 + REPLIES)}
        self._people = recipients(PROFILES + REPLIES, start=9_000_000 + 100 * self.number)

    async def missing(self) -> str:
        """What this probe still waits for; empty when every service has done its part."""
        try:
            return await self._not_accepted() or await self._not_in(SENT) or await self._not_counted()
        except (OSError, ClientError, TimeoutError) as error:
            return f"no answer: {error!r}"

    async def unreported(self) -> str:
        """Which receipt of the gateway ingress has not matched yet; empty when all are `delivered`."""
        try:
            return await self._not_in(REPORTED)
        except (OSError, ClientError, TimeoutError) as error:
            return f"no answer: {error!r}"

    async def _not_accepted(self) -> str:
        for each, (key, message) in enumerate(self._messages.items()):
            if message is None:
                lane, body = self._request(each)
                answer = await self.system.ask(
                    "POST", f"/packages/{PACKAGE}/messages/{lane}", body, Prefer="respond-async", Idempotency_Key=key
                )
                if answer.status != 202:
                    return f"ingress does not accept: {answer.body}"
                self._messages[key] = answer.body["message_id"]
        return ""

    def _request(self, number: int) -> tuple[str, dict[str, Any]]:
        if number == 0:
            return "open", {"type": "text", "text": "Hello", "recipients": self._people[:PROFILES]}
        return "reply", {"type": "text", "text": "Yes", "recipient": self._people[PROFILES + number - 1]}

    async def _not_in(self, statuses: Collection[str]) -> str:
        """The first message that has deliveries in other statuses."""
        for message in self._messages.values():
            answer = await self.system.ask("GET", f"/messages/{message}")
            counts: dict[str, int] = answer.body.get("counts", {})
            others = {status: count for status, count in counts.items() if count and status not in statuses}
            if others or not sum(counts.values()):
                return f"{message}: {others or answer.body}"
        return ""

    async def _not_counted(self) -> str:
        """Stats must count the sends of this and of all earlier probes."""
        expected = len(self._people) * (self.number + 1)
        answer = await self.system.ask_at("stats", f"/api/v1/live?package_id={PACKAGE}")
        profiles: Sequence[Mapping[str, Any]] = answer.body["data"] if answer.status == 200 else ()
        counted = sum(profile["windows"]["day"]["sent"] for profile in profiles)
        return "" if counted >= expected else f"stats counts {counted} of {expected}: {answer.status}"
