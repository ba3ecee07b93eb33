"""Fault: a wrong that the gateway was told to do, and the rule that says which sends it meets."""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["fail", "delay", "hang", "die", "fail_after_sending", "no_receipts", "double_receipts"]
Code = Literal["transient", "throttled", "profile_blocked", "recipient_invalid", "content_refused"]
Moment = Literal["before", "after"]

HTTP_STATUS: dict[Code, int] = {
    "transient": 500,
    "throttled": 429,
    "profile_blocked": 403,
    "recipient_invalid": 404,
    "content_refused": 400,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What was asked for. `profile` is a profile's id or its account; what is None matches every send."""

    fault_id: str
    kind: Kind
    profile: str | None = None
    recipient: str | None = None
    count: int | None = None
    """Ends after so many hits."""
    every: int = 1
    """Hits every so many-th of the sends that match."""
    code: Code = "transient"
    seconds: float = 1.0
    """Real seconds: how long a delay or a hang lasts, what `Retry-After` says when throttled."""
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


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, then go on as if nothing had happened (the caller may have given up: it is sent all the same)."""

    fault_id: str
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
    """An error that the gateway answers."""

    code: Code
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
    receipts: int = 1
    """How often each receipt is called back."""
    hits: tuple[Kind, ...] = ()


def strike(faults: tuple[Armed, ...], target: Target) -> tuple[tuple[Armed, ...], Plan]:
    """The faults after this send, and how the send goes. Faults add up, in the order in which they were made.

    Of several that refuse, the first one's code is answered.
    """
    met = tuple(armed.meet(target) for armed in faults)
    plan = Plan()
    for before, after in zip(faults, met, strict=True):
        if after.hits > before.hits:
            plan = _with(plan, after.fault)
    return met, plan


def _matches(fault: Fault, target: Target) -> bool:
    profile_matches = fault.profile is None or fault.profile in (target.profile, target.account)
    return profile_matches and fault.recipient in (None, target.recipient)


def _with(plan: Plan, fault: Fault) -> Plan:
    plan = replace(plan, hits=(*plan.hits, fault.kind))
    match fault.kind:
        case "delay":
            return _stopping(plan, fault, Delay(fault.fault_id, fault.seconds))
        case "hang":
            return _stopping(plan, fault, Hang(fault.fault_id, fault.seconds))
        case "die":
            return _stopping(plan, fault, Die())
        case "fail" if fault.at == "before":
            return replace(plan, refusal=plan.refusal or _refusal(fault))
        case "fail" | "fail_after_sending":
            return replace(plan, answer=plan.answer or _refusal(fault))
        case "no_receipts":
            return replace(plan, receipts=0)
        case "double_receipts":
            return replace(plan, receipts=plan.receipts * 2)


def _stopping(plan: Plan, fault: Fault, stop: Stop) -> Plan:
    if fault.at == "before":
        return replace(plan, before=(*plan.before, stop))
    return replace(plan, after=(*plan.after, stop))


def _refusal(fault: Fault) -> Refusal:
    return Refusal(fault.code, fault.seconds if fault.code == "throttled" else None)
