"""python -m stats: run the stats until they are told to stop."""

from spreader.runtime.service import run
from stats.app import build
from stats.settings import StatsSettings

if __name__ == "__main__":
    settings = StatsSettings()
    run(build(settings), settings, settings.stats_port)
