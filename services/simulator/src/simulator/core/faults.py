"""Faults: failures, delays and lost receipts that a tester injects, and the rules that select the sends they hit."""

from dataclasses import dataclass, replace
from typing import Literal

from simulator.core.failures import FAILURES, Driver, FailureChannel, code_for

FaultKind = Literal[
    "fail", "delay", "hang", "die", "fail_after_sending", "no_receipts", "double_receipts", "late_receipts",
    "disordered_receipts",
]  # fmt: skip
FaultPoint = Literal["before", "after"]

THROTTLED = ("throttled", "429", "4", "80007", "130429")
"""If a fault has one of these codes and `seconds`, its answer has the header `Retry-After`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that a tester requested. `profile` is a profile's id or its account. A filter that is None matches every
    send."""

    fault_id: str
    kind: FaultKind
    profile: str | None = None
    recipient: str | None = None
    driver: Driver | None = None
    count: int | None = None
    """The fault ends after this many hits. None if it does not end by itself."""
    every: int = 1
    """The fault hits every n-th send that matches it."""
    code: str = "transient"
    """The code of the failure. The fault matches only sends over gateways that have this code."""
    channel: FailureChannel | None = None
    """How the failure is reported. None: as the gateway usually reports it."""
    seconds: float = 1.0
    """How long a delay, a hang or `Retry-After` is, in wall time. For late receipts, their delay in system time."""
    at: FaultPoint = "before"


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault in force, with the number of sends that it has matched (`seen`) and hit."""

    fault: Fault
    seen: int = 0
    hits: int = 0

    def after(self, target: "FaultTarget") -> "ActiveFault":
        """The fault after this send, with one more hit if the fault applies to it."""
        fault = self.fault
        spent = fault.count is not None and self.hits >= fault.count
        if spent or not _matches(fault, target):
            return self
        seen = self.seen + 1
        return replace(self, seen=seen, hits=self.hits + (seen % fault.every == 0))


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """The attributes by which faults select a send."""

    profile: str
    account: str
    recipient: str
    driver: Driver = "simulator"


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, then go on, even if the caller has disconnected."""

    fault_id: str | None
    """The fault whose removal ends the delay. None if the account's behaviour causes the delay."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Send no answer: hold the connection until the caller disconnects or the time is over."""

    fault_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Die:
    """End the process immediately, like kill -9."""


Interruption = Delay | Hang | Die


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer, by the gateway's own code."""

    code: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SendPlan:
    """How one send runs: interruptions before and after its ledger line, its answer, and its receipts."""

    before: tuple[Interruption, ...] = ()
    refusal: Refusal | None = None
    """If set, the message is not sent. Its ledger line and its answer have this error."""
    after: tuple[Interruption, ...] = ()
    answer: Refusal | None = None
    """If set, the message is sent, but the answer is this error."""
    failure: str | None = None
    """If set, the message is accepted, and a receipt reports this failure later."""
    receipts: int = 1
    """How often each receipt is posted."""
    late_seconds: float = 0
    """The delay of all receipts, in system time."""
    disordered: bool = False
    """Whether the receipts come in reverse order."""
    reached: bool = True
    """If false, the message is accepted but never delivered."""
    hits: tuple[FaultKind, ...] = ()


def apply_faults(faults: tuple[ActiveFault, ...], target: FaultTarget) -> tuple[tuple[ActiveFault, ...], SendPlan]:
    """The faults after this send, and the plan of the send. Faults combine in the order of their creation.

    If several faults refuse the send, the answer has the code of the first one.
    """
    updated = tuple(active.after(target) for active in faults)
    plan = SendPlan()
    for before, after in zip(faults, updated, strict=True):
        if after.hits > before.hits:
            plan = _with(plan, after.fault, target.driver)
    return updated, plan


def _matches(fault: Fault, target: FaultTarget) -> bool:
    profile_matches = fault.profile is None or fault.profile in (target.profile, target.account)
    has_code = fault.driver in (None, target.driver) and code_for(target.driver, fault.code) is not None
    return profile_matches and has_code and fault.recipient in (None, target.recipient)


def _with(plan: SendPlan, fault: Fault, driver: Driver) -> SendPlan:
    plan = replace(plan, hits=(*plan.hits, fault.kind))
    match fault.kind:
        case "delay":
            return _with_interruption(plan, fault, Delay(fault.fault_id, fault.seconds))
        case "hang":
            return _with_interruption(plan, fault, Hang(fault.fault_id, fault.seconds))
        case "die":
            return _with_interruption(plan, fault, Die())
        case "fail" if fault.at == "before":
            refusal, channel = _refusal(fault, driver)
            if channel == "receipt":
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


def _with_interruption(plan: SendPlan, fault: Fault, interruption: Interruption) -> SendPlan:
    if fault.at == "before":
        return replace(plan, before=(*plan.before, interruption))
    return replace(plan, after=(*plan.after, interruption))


def _refusal(fault: Fault, driver: Driver) -> tuple[Refusal, FailureChannel]:
    code = code_for(driver, fault.code)
    assert code is not None, "the fault matched a gateway that does not have its code"
    seconds = fault.seconds if fault.code in THROTTLED else None
    return Refusal(code, seconds), fault.channel or FAILURES[driver][code].channel
