"""python -m stats: run stats until it is stopped."""

from spreader.runtime.service import run
from stats.app import build
from stats.settings import StatsSettings

if __name__ == "__main__":
    settings = StatsSettings()
    run(build(settings), settings, settings.stats_port)
