"""Entry point of the console: `python -m console`."""

from console.app import build
from console.settings import ConsoleSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = ConsoleSettings()
    run(build(settings), settings, settings.console_port)
