"""Entry point of the simulator: `python -m simulator`."""

from simulator.app import build
from simulator.settings import SimulatorSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = SimulatorSettings()
    run(build(settings), settings, settings.simulator_port)
