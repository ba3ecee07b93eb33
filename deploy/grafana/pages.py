"""Pages: the dashboards as JSON files for Grafana."""

import json
from collections.abc import Mapping

from deploy.grafana import fleet, package, pipeline, service_levels
from deploy.grafana.panels import Board, build
from grafana_foundation_sdk.cog.encoder import JSONEncoder

BOARDS: Mapping[str, Board] = {
    "fleet": fleet.BOARD,
    "package": package.BOARD,
    "pipeline": pipeline.BOARD,
    "service-levels": service_levels.BOARD,
}
"""The dashboards by the names of their files."""


def page(board: Board) -> str:
    return json.dumps(build(board), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
