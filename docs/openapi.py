"""OpenAPI documents: the descriptions of the HTTP APIs of ingress and stats, made without starting them."""

from typing import Any

from ingress import app as ingress
from ingress.settings import IngressSettings
from stats import app as stats
from stats.settings import StatsSettings

NOT_USED = "not used: nothing is started"


def document() -> dict[str, Any]:
    return ingress.build(IngressSettings(api_key=NOT_USED)).openapi()


def statistics() -> dict[str, Any]:
    return stats.build(StatsSettings(api_key=NOT_USED)).openapi()
