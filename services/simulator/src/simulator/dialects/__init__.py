"""Dialects: how each kind of gateway speaks, to its callers and to its webhooks."""

from collections.abc import Mapping

from simulator.core.failures import Driver
from simulator.dialects.cloud_api import CloudApi
from simulator.dialects.dialect import Dialect
from simulator.dialects.evolution import Evolution
from simulator.dialects.own import Own
from simulator.dialects.waha import Waha

DIALECTS: Mapping[Driver, Dialect] = {
    "simulator": Own(),
    "cloud_api": CloudApi(),
    "waha": Waha(),
    "evolution": Evolution(),
}
