"""python -m pacer: run the pacer until it receives a signal to stop."""

from pacer.app import build
from pacer.settings import PacerSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = PacerSettings()
    run(build(settings), settings, settings.pacer_port)
