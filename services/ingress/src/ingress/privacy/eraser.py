"""Eraser: removes erased persons from the tables of the ingress."""

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.consent.erased_consents import ErasedConsents
from ingress.privacy.erasures import KEPT, keep_own_report
from ingress.sql.erasures import REMOVALS, WAITS
from spreader.clock import Now
from spreader.erasure.eraser import Eraser
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.bus import EnvelopeBus


def build_eraser(engine: AsyncEngine, erasures: ErasureTable, bus: EnvelopeBus, now: Now) -> Eraser:
    consents = ErasedConsents(bus, now)
    return Eraser(engine, erasures, now, REMOVALS, keep_own_report, WAITS, consents.remove, keep=KEPT)
