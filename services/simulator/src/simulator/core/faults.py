"""Fault: a wrong that the gateway was told to do, and the rule that says which sends it meets."""

from dataclasses import dataclass, replace
from typing import Literal

from simulator.core.failures import FAILURES, Driver, Told, in_words_of

Kind = Literal[
    "fail", "delay", "hang", "die", "fail_after_sending", "no_receipts", "double_receipts", "late_receipts",
    "disordered_receipts",
]  # fmt: skip
Moment = Literal["before", "after"]

THROTTLED = ("throttled", "429", "4", "80007", "130429")
"""Codes whose answer says when to come again, where the fault does."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was asked for. `profile` is a profile's id or its account; what is None matches every send."""

    fault_id: str
    kind: Kind
    profile: str | None = None
    recipient: str | None = None
    driver: Driver | None = None
    count: int | None = None
    """Ends after so many hits."""
    every: int = 1
    """Hits every so many-th of the sends that match."""
    code: str = "transient"
    """Of any gateway: it meets the sends of those that have words for it."""
    told: Told | None = None
    """None: as the gateway usually tells it."""
    seconds: float = 1.0
    """Real seconds of a delay or a hang, and what `Retry-After` says when throttled; of late receipts the system's."""
    at: Moment = "before"


@dataclass(frozen=True, slots=True)
class Armed:
    """A fault in force, with what it has met so far."""

    fault: Fault
    seen: int = 0
    hits: int = 0

    def meet(self, target: "Target") -> "Armed":
        """The fault after this send: one more hit, if it hits."""
        fault = self.fault
        spent = fault.count is not None and self.hits >= fault.count
        if spent or not _matches(fault, target):
            return self
        seen = self.seen + 1
        return replace(self, seen=seen, hits=self.hits + (seen % fault.every == 0))


@dataclass(frozen=True, slots=True)
class Target:
    """A send, as far as faults look at it."""

    profile: str
    account: str
    recipient: str
    driver: Driver = "simulator"


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, then go on as if nothing had happened (the caller may have given up: it is sent all the same)."""

    fault_id: str | None
    """None: no fault makes it, and none can be removed to end it."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer: go no further, hold the connection until the caller leaves."""

    fault_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Die:
    """End the process at once, like kill -9."""


Stop = Delay | Hang | Die


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that the gateway answers, under its own code."""

    code: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How one send goes: stops before its ledger line, the line, stops after it, the answer, the receipts."""

    before: tuple[Stop, ...] = ()
    refusal: Refusal | None = None
    """Not sent: the ledger says so, and so does the answer."""
    after: tuple[Stop, ...] = ()
    answer: Refusal | None = None
    """Sent, and yet the answer is an error."""
    failure: str | None = None
    """Taken, and a receipt tells of this failure."""
    receipts: int = 1
    """How often each receipt is called back."""
    late_seconds: float = 0
    """By how much later than usual (of the system's time)."""
    disordered: bool = False
    """The last receipt comes first."""
    reached: bool = True
    """Not: it is taken, and never delivered."""
    hits: tuple[Kind, ...] = ()


def strike(faults: tuple[Armed, ...], target: Target) -> tuple[tuple[Armed, ...], Plan]:
    """The faults after this send, and how the send goes. Faults add up, in the order in which they were made.

    Of several that refuse, the first one's code is answered.
    """
    met = tuple(armed.meet(target) for armed in faults)
    plan = Plan()
    for before, after in zip(faults, met, strict=True):
        if after.hits > before.hits:
            plan = _with(plan, after.fault, target.driver)
    return met, plan


def _matches(fault: Fault, target: Target) -> bool:
    profile_matches = fault.profile is None or fault.profile in (target.profile, target.account)
    speaks = fault.driver in (None, target.driver) and in_words_of(target.driver, fault.code) is not None
    return profile_matches and speaks and fault.recipient in (None, target.recipient)


def _with(plan: Plan, fault: Fault, driver: Driver) -> Plan:
    plan = replace(plan, hits=(*plan.hits, fault.kind))
    match fault.kind:
        case "delay":
            return _stopping(plan, fault, Delay(fault.fault_id, fault.seconds))
        case "hang":
            return _stopping(plan, fault, Hang(fault.fault_id, fault.seconds))
        case "die":
            return _stopping(plan, fault, Die())
        case "fail" if fault.at == "before":
            refusal, told = _refusal(fault, driver)
            if told == "receipt":
                return replace(plan, failure=plan.failure or refusal.code)
            return replace(plan, refusal=plan.refusal or refusal)
        case "fail" | "fail_after_sending":
            return replace(plan, answer=plan.answer or _refusal(fault, driver)[0])
        case "no_receipts":
            return replace(plan, receipts=0)
        case "double_receipts":
            return replace(plan, receipts=plan.receipts * 2)
        case "late_receipts":
            return replace(plan, late_seconds=plan.late_seconds + fault.seconds)
        case "disordered_receipts":
            return replace(plan, disordered=True)


def _stopping(plan: Plan, fault: Fault, stop: Stop) -> Plan:
    if fault.at == "before":
        return replace(plan, before=(*plan.before, stop))
    return replace(plan, after=(*plan.after, stop))


def _refusal(fault: Fault, driver: Driver) -> tuple[Refusal, Told]:
    code = in_words_of(driver, fault.code)
    assert code is not None, "a fault met a gateway that has no words for it"
    seconds = fault.seconds if fault.code in THROTTLED else None
    return Refusal(code, seconds), fault.told or FAILURES[driver][code].told
