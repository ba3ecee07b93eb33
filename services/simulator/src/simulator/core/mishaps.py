"""Mishap: something that goes wrong with one send by chance, as an account's behaviour has it."""

from dataclasses import replace
from random import Random

from simulator.core.behaviour import Behaviour
from simulator.core.faults import Delay, Plan, Refusal
from simulator.core.judgement import Verdict

LOST_ANSWER = Refusal("500")


def ruled(plan: Plan, verdict: Verdict) -> Plan:
    """The plan of a send that no fault has stopped, after WhatsApp has judged it."""
    if verdict.refusal is not None:
        return replace(plan, refusal=Refusal(verdict.refusal, verdict.retry_after_seconds))
    return replace(plan, failure=plan.failure or verdict.failure, reached=verdict.reached)


def afflicted(plan: Plan, behaviour: Behaviour, draw: Random) -> Plan:
    """The plan with what chance adds. Each kind is drawn for itself, in this order, whatever the others gave."""
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
