"""Refusals: every row of the failure table that a gateway can be made to give, in both lanes, and what should follow.

What becomes of the delivery, and which lanes are closed afterwards. The expectations are written here by hand, from the
table of failures and docs/health.md, and not taken from the code that they judge.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.gateways import at_gateways, delivery_of, fault, open_message, reply
from e2e.running import Running, recipients

AGAIN = "sent by the same profile, a little later"
ELSEWHERE = "sent by another profile"
FAILED = "failed, and tried nowhere else"
UNDONE = "taken, and reported as failed later"
WAITS = "waits for a time that the gateway asks for, on the same profile"
UNKNOWN = "nobody knows, and it is not tried again"
EXPIRED = "expired before it could be sent"
TAKEN = "taken, and nothing more is ever heard"

Fates = tuple[str, str]
"""Of the open delivery, and of the reply."""

_BOTH = {name: (name, name) for name in (AGAIN, ELSEWHERE, FAILED, UNDONE, WAITS, TAKEN)}
_IN_DOUBT: Fates = (UNKNOWN, AGAIN)  # a customer who waits may get a reply twice

TABLE: Mapping[str, Mapping[str, Fates]] = {
    "cloud_api": {
        **dict.fromkeys(("0", "190", "3", "10", "200", "299", "131005"), _BOTH[ELSEWHERE]),
        **dict.fromkeys(("1", "135000"), _BOTH[AGAIN]),
        **dict.fromkeys(("2", "131000", "131016"), _IN_DOUBT),  # Meta says 500, and not that it was not sent
        **dict.fromkeys(("4", "80007", "130429", "429", "131056", "131053"), _BOTH[AGAIN]),
        "131057": _BOTH[AGAIN],  # within two minutes
        "132069": (WAITS, EXPIRED),  # an hour: longer than a reply is worth sending
        "131048": (ELSEWHERE, AGAIN),  # new chats are stopped, old ones go on
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
        "422": _BOTH[AGAIN],  # a session that is not ready gets half a minute
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

CLOSED: Mapping[str, Mapping[str, tuple[Lanes, Lanes]]] = {
    "cloud_api": {
        **dict.fromkeys(("0", "190", "3", "10", "200", "299", "131005", "131042", "131044"), (_ALL, _ALL)),
        **dict.fromkeys(("131031", "368"), (_ALL, _ALL)),
        **dict.fromkeys(("131045", "133010", "131037", "33"), (_OPEN, _REPLY)),
        **dict.fromkeys(("131048", "131064"), (_OPEN, _OPEN)),  # new chats are stopped, whichever lane heard of it
    },
    "waha": {
        **dict.fromkeys(("401", "403"), (_ALL, _ALL)),
        "404": (_OPEN, _REPLY),
        "463": (_OPEN, _OPEN),
    },
    "evolution": {  # its webhooks do not say 463: that an account opens no chats shows by and by
        **dict.fromkeys(("401", "403"), (_ALL, _ALL)),
        "404": (_OPEN, _REPLY),
    },
}
"""The lanes of a profile that are closed after the open message that failed there, and after the reply. Else: none."""

SENT = {"sent", "delivered", "read"}
TEXT = {"type": "text", "text": "Hello"}
AT_ONCE = 12


@dataclass
class Case:
    """One code, once in each lane, in a package of its own; what closes one profile for both lanes leaves two more."""

    system: Running
    driver: str
    code: str
    package: str
    asked: str
    """Who gets the open message."""
    waiting: str
    """Who gets the reply."""
    messages: tuple[str, str] = ("", "")
    answered: int = 0

    async def begin(self) -> None:
        await at_gateways(self.system, self.package, self.driver, 3)
        brief = {"seconds": 0.2} if self.code in ("4", "80007", "130429", "429") else {}
        for person in (self.asked, self.waiting):
            await fault(
                self.system, kind="fail", driver=self.driver, code=self.code, recipient=person, count=1, **brief
            )
        first = await open_message(self.system, self.package, TEXT, self.asked)
        answer = await reply(self.system, self.package, TEXT, self.waiting)
        self.answered, self.messages = answer.status, (first, answer.body["message_id"])

    async def fates(self, lines: list[dict[str, Any]]) -> Fates:
        seen = [await self._fate(lines, message, person) for message, person in
                zip(self.messages, (self.asked, self.waiting), strict=True)]  # fmt: skip
        return seen[0], seen[1]

    def shut(self, lines: list[dict[str, Any]]) -> dict[str, Lanes]:
        """By profile that a failure befell: the lanes that it should have closed."""
        expected = CLOSED[self.driver].get(self.code, (_NONE, _NONE))
        found = dict[str, Lanes]()
        for person, lanes in zip((self.asked, self.waiting), expected, strict=True):
            for profile in {line["profile"] for line in lines if line["recipient"] == person and line["code"]}:
                found[profile] = found.get(profile, _NONE) | lanes
        return found

    async def _fate(self, lines: list[dict[str, Any]], message: str, person: str) -> str:
        mine = [line for line in lines if line["recipient"] == person]
        arrived = [line for line in mine if line["ok"]]
        delivery = await delivery_of(self.system, message)
        status = "held" if delivery is None else delivery["status"]
        profiles = {line["profile"] for line in mine}
        assert len(arrived) <= 1, f"{self.code}: {person} got it twice"
        if len(mine) == 1 and arrived:
            return UNDONE if status == "failed" else TAKEN if status == "sent" else f"{status}, never refused"
        if status in SENT and arrived:
            return AGAIN if len(profiles) == 1 else ELSEWHERE
        if len(profiles) > 1:
            return f"{status} at {len(profiles)} profiles"
        return {"failed": FAILED, "unknown": UNKNOWN, "held": WAITS, "released": WAITS, "expired": EXPIRED}.get(
            status, status
        )

    async def is_right(self, lines: list[dict[str, Any]]) -> bool:
        return await self.fates(lines) == TABLE[self.driver][self.code]


async def refused(system: Running) -> dict[str, Case]:
    """Every case, begun; by name."""
    people = iter(recipients(1_000, start=400_000))
    cases = {
        f"{driver}_{code}": Case(system, driver, code, f"{driver}_{code}", asked=next(people), waiting=next(people))
        for driver, codes in TABLE.items()
        for code in codes
    }
    slots = asyncio.Semaphore(AT_ONCE)

    async def begin(case: Case) -> None:
        async with slots:
            await case.begin()

    await asyncio.gather(*map(begin, cases.values()))
    return cases
