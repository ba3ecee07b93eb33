"""Random faults: faults of single sends, drawn with the probabilities of an account's behaviour."""

from dataclasses import replace
from random import Random

from simulator.core.behaviour import Behaviour
from simulator.core.faults import Delay, Refusal, SendPlan
from simulator.core.verdict import Verdict

LOST_ANSWER = Refusal("500")


def apply_verdict(plan: SendPlan, verdict: Verdict) -> SendPlan:
    """The plan with WhatsApp's verdict added. Call this only for a send that no injected fault refuses."""
    if verdict.refusal is not None:
        return replace(plan, refusal=Refusal(verdict.refusal, verdict.retry_after_seconds))
    return replace(plan, failure=plan.failure or verdict.failure, reached=verdict.reached)


def add_random_faults(plan: SendPlan, behaviour: Behaviour, draw: Random) -> SendPlan:
    """The plan with random faults added. Each kind is drawn independently. The order of the draws is always the same,
    so equal seeds give equal faults."""
    stuck, missing, doubled, late, disordered, lost, slow = (draw.random() for _ in range(7))
    if stuck < behaviour.stuck_share and plan.failure is None:
        plan = replace(plan, failure="stuck")
    if missing < behaviour.missing_share:
        plan = replace(plan, receipts=0)
    if doubled < behaviour.doubled_share:
        plan = replace(plan, receipts=plan.receipts * 2)
    if late < behaviour.late_share:
        plan = replace(plan, late_seconds=plan.late_seconds + behaviour.late_seconds)
    if lost < behaviour.lost_answer_share:
        plan = replace(plan, answer=plan.answer or LOST_ANSWER)
    if slow < behaviour.slow_share:
        plan = replace(plan, after=(*plan.after, Delay(None, behaviour.slow_seconds)))
    return replace(plan, disordered=plan.disordered or disordered < behaviour.disordered_share)
