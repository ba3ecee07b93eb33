"""Row counts: the loops that count rows for metrics."""

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.consent.consent_lists import ConsentLists
from ingress.consent.possible_opt_outs import PossibleOptOuts
from ingress.privacy.erasures import Erasures
from ingress.status.reconciliation import Reconciliation
from ingress.webhooks.hidden_ids import HiddenMessageCount
from spreader.clock import Clock
from spreader.runtime.loop import Loop


def row_count_loops(engine: AsyncEngine, consents: ConsentLists, erasures: Erasures, now: Clock) -> tuple[Loop, ...]:
    reconciliation = Reconciliation(engine, now)
    return (
        Loop("look at the outbox", reconciliation.measure_outbox),
        Loop("look at the books", reconciliation.count_unfinished),
        Loop("look at erasures", erasures.measure),
        Loop("count of possible opt-outs", PossibleOptOuts(engine, consents).count),
        Loop("count of hidden messages", HiddenMessageCount(engine).run_once),
    )
