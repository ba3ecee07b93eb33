"""python -m sender: run the sender until it is stopped."""

from sender.app import build
from sender.settings import SenderSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = SenderSettings()
    run(build(settings), settings, settings.sender_port)
