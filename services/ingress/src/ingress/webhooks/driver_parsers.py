"""Driver parsers: turn the body of a gateway's call into reports."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from ingress.core.reports import AddressedReport
from ingress.core.webhook_parsers import WebhookParser
from ingress.core.webhook_parsers.cloud_api import CloudApiParser
from ingress.core.webhook_parsers.evolution import EvolutionParser
from ingress.core.webhook_parsers.simulator import SimulatorParser
from ingress.core.webhook_parsers.waha import WahaParser
from ingress.http import request_body
from spreader.contract.configuration import Driver
from spreader.http.problems import Problem

PARSERS: Mapping[Driver, WebhookParser] = {
    "simulator": SimulatorParser(),
    "cloud_api": CloudApiParser(),
    "waha": WahaParser(),
    "evolution": EvolutionParser(),
}


def read_reports(driver: Driver, now: datetime, body: bytes) -> list[AddressedReport] | Problem:
    """Reads the reports in the body of a call. For a large body, a child process runs this function."""
    try:
        return PARSERS[driver].parse(body, now)
    except ValidationError as error:
        return request_body.validation_problem(error, tagged=True)
    except ValueError as error:
        return request_body.malformed(str(error))
