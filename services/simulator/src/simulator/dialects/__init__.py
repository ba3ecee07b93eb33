"""Dialects: the webhook formats and retry schedules of each kind of gateway."""

from collections.abc import Mapping

from simulator.core.failures import Driver
from simulator.dialects.cloud_api import CloudApiDialect
from simulator.dialects.dialect import Dialect
from simulator.dialects.evolution import EvolutionDialect
from simulator.dialects.own import OwnDialect
from simulator.dialects.waha import WahaDialect

DIALECTS: Mapping[Driver, Dialect] = {
    "simulator": OwnDialect(),
    "cloud_api": CloudApiDialect(),
    "waha": WahaDialect(),
    "evolution": EvolutionDialect(),
}
