"""Failure cases: every failure code that a simulated gateway can return, in both lanes, with its expected effects.

The effects are the fate of the delivery and the lanes that are closed afterwards. They are written by hand from
docs/failures.md and docs/health.md, and not derived from the code under test.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.gateways import add_fault, create_gateway_package, only_delivery, send_open_message, send_reply
from e2e.system import RunningSystem, recipients

AGAIN = "sent by the same profile after a retry"
ELSEWHERE = "sent by another profile"
FAILED = "failed without a try by another profile"
UNDONE = "accepted, and later reported as failed"
WAITS = "waits at the same profile for the time that the gateway demands"
UNKNOWN = "unknown, and not tried again"
EXPIRED = "expired before it could be sent"
TAKEN = "accepted, without any later receipt"

Fates = tuple[str, str]
"""The fate of the open delivery and of the reply."""

_BOTH = {name: (name, name) for name in (AGAIN, ELSEWHERE, FAILED, UNDONE, WAITS, TAKEN)}
_IN_DOUBT: Fates = (UNKNOWN, AGAIN)  # a reply may arrive twice: the customer is waiting for it

EXPECTED_FATES: Mapping[str, Mapping[str, Fates]] = {
    "cloud_api": {
        **dict.fromkeys(("0", "190", "3", "10", "200", "299", "131005"), _BOTH[ELSEWHERE]),
        **dict.fromkeys(("1", "135000"), _BOTH[AGAIN]),
        **dict.fromkeys(("2", "131000", "131016"), _IN_DOUBT),  # HTTP 500: Meta does not say that it was not sent
        **dict.fromkeys(("4", "80007", "130429", "429", "131056", "131053"), _BOTH[AGAIN]),
        "131057": _BOTH[AGAIN],  # repeated within two minutes
        "132069": (WAITS, EXPIRED),  # an hour, which is longer than a reply lives
        "131048": (ELSEWHERE, AGAIN),  # stops new chats only
        **dict.fromkeys(("131049", "131050", "131026", "131064"), _BOTH[UNDONE]),
        **dict.fromkeys(("130472", "131047", "131021", "131030", "131062", "137000"), _BOTH[FAILED]),
        **dict.fromkeys(("131031", "368", "130497", "131042", "131044"), _BOTH[ELSEWHERE]),
        **dict.fromkeys(("131045", "133010", "131037", "33"), _BOTH[ELSEWHERE]),
        **dict.fromkeys(("131051", "131008", "131009", "100"), _BOTH[FAILED]),
        **dict.fromkeys(("132000", "132001", "132005", "132007", "132008", "132012"), _BOTH[FAILED]),
        **dict.fromkeys(("132015", "132016", "132068", "131063"), _BOTH[FAILED]),
        **dict.fromkeys(("500", "502", "503", "504"), _IN_DOUBT),
    },
    "waha": {
        **dict.fromkeys(("463", "479", "error", "no_whatsapp"), _BOTH[UNDONE]),
        "stuck": _BOTH[TAKEN],
        **dict.fromkeys(("401", "403", "404"), _BOTH[ELSEWHERE]),
        "422": _BOTH[AGAIN],  # a session that is not ready is tried again for half a minute
        "not_implemented": _BOTH[FAILED],
        "429": _BOTH[AGAIN],
        **dict.fromkeys(("500", "502", "503", "504"), _IN_DOUBT),
    },
    "evolution": {
        **dict.fromkeys(("463", "479", "error"), _BOTH[UNDONE]),
        "stuck": _BOTH[TAKEN],
        **dict.fromkeys(("no_whatsapp", "media"), _BOTH[FAILED]),
        "closed": _BOTH[AGAIN],
        "timed_out": _IN_DOUBT,
        **dict.fromkeys(("401", "403", "404"), _BOTH[ELSEWHERE]),
        "429": _BOTH[AGAIN],
        **dict.fromkeys(("500", "502", "503", "504"), _IN_DOUBT),
    },
}

Lanes = frozenset[str]
_NONE: Lanes = frozenset()
_OPEN: Lanes = frozenset({"open"})
_REPLY: Lanes = frozenset({"reply"})
_ALL = _OPEN | _REPLY

CLOSED_LANES: Mapping[str, Mapping[str, tuple[Lanes, Lanes]]] = {
    "cloud_api": {
        **dict.fromkeys(("0", "190", "3", "10", "200", "299", "131005", "131042", "131044"), (_ALL, _ALL)),
        **dict.fromkeys(("131031", "368"), (_ALL, _ALL)),
        **dict.fromkeys(("131045", "133010", "131037", "33"), (_OPEN, _REPLY)),
        **dict.fromkeys(("131048", "131064"), (_OPEN, _OPEN)),  # stops new chats, whichever lane got the code
    },
    "waha": {
        **dict.fromkeys(("401", "403"), (_ALL, _ALL)),
        "404": (_OPEN, _REPLY),
        "463": (_OPEN, _OPEN),
    },
    "evolution": {  # its webhooks do not contain code 463
        **dict.fromkeys(("401", "403"), (_ALL, _ALL)),
        "404": (_OPEN, _REPLY),
    },
}
"""The lanes of a profile that are closed after its failed open message, and after its failed reply. Default: none."""

SENT = {"sent", "delivered", "read"}
TEXT = {"type": "text", "text": "Hello"}
CONCURRENT_STARTS = 12


@dataclass
class FailureCase:
    """One failure code, once in each lane, in its own package of three profiles: two are left if one is closed."""

    system: RunningSystem
    driver: str
    code: str
    package: str
    open_recipient: str
    reply_recipient: str
    messages: tuple[str, str] = ("", "")
    reply_status: int = 0

    async def begin(self) -> None:
        await create_gateway_package(self.system, self.package, self.driver, 3)
        brief = {"seconds": 0.2} if self.code in ("4", "80007", "130429", "429") else {}
        for person in (self.open_recipient, self.reply_recipient):
            await add_fault(
                self.system, kind="fail", driver=self.driver, code=self.code, recipient=person, count=1, **brief
            )
        first = await send_open_message(self.system, self.package, TEXT, self.open_recipient)
        answer = await send_reply(self.system, self.package, TEXT, self.reply_recipient)
        self.reply_status, self.messages = answer.status, (first, answer.body["message_id"])

    async def fates(self, lines: list[dict[str, Any]]) -> Fates:
        open_message, reply_message = self.messages
        return (
            await self._fate(lines, open_message, self.open_recipient),
            await self._fate(lines, reply_message, self.reply_recipient),
        )

    def expected_closures(self, lines: list[dict[str, Any]]) -> dict[str, Lanes]:
        """The lanes that should be closed, for each profile that had a failure."""
        expected = CLOSED_LANES[self.driver].get(self.code, (_NONE, _NONE))
        closures = dict[str, Lanes]()
        for person, lanes in zip((self.open_recipient, self.reply_recipient), expected, strict=True):
            for profile in {line["profile"] for line in lines if line["recipient"] == person and line["code"]}:
                closures[profile] = closures.get(profile, _NONE) | lanes
        return closures

    async def _fate(self, lines: list[dict[str, Any]], message: str, person: str) -> str:
        mine = [line for line in lines if line["recipient"] == person]
        arrived = [line for line in mine if line["ok"]]
        delivery = await only_delivery(self.system, message)
        status = "held" if delivery is None else delivery["status"]
        profiles = {line["profile"] for line in mine}
        assert len(arrived) <= 1, f"{self.code}: it arrived twice at {person}"
        if len(mine) == 1 and arrived:
            return UNDONE if status == "failed" else TAKEN if status == "sent" else f"{status}, never refused"
        if status in SENT and arrived:
            return AGAIN if len(profiles) == 1 else ELSEWHERE
        if len(profiles) > 1:
            return f"{status} at {len(profiles)} profiles"
        return {"failed": FAILED, "unknown": UNKNOWN, "held": WAITS, "released": WAITS, "expired": EXPIRED}.get(
            status, status
        )

    async def has_expected_fates(self, lines: list[dict[str, Any]]) -> bool:
        return await self.fates(lines) == EXPECTED_FATES[self.driver][self.code]


async def start_failure_cases(system: RunningSystem) -> dict[str, FailureCase]:
    """Start every case; returns them by name."""
    people = iter(recipients(1_000, start=400_000))
    cases = {
        f"{driver}_{code}": FailureCase(
            system, driver, code, f"{driver}_{code}", open_recipient=next(people), reply_recipient=next(people)
        )
        for driver, codes in EXPECTED_FATES.items()
        for code in codes
    }
    slots = asyncio.Semaphore(CONCURRENT_STARTS)

    async def begin(case: FailureCase) -> None:
        async with slots:
            await case.begin()

    await asyncio.gather(*map(begin, cases.values()))
    return cases
