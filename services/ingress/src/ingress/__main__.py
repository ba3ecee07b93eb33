"""python -m ingress: run the ingress until it is told to stop."""

import sys

from ingress.app import build
from ingress.settings import IngressSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = IngressSettings()
    if not settings.api_key:
        sys.exit(
            "SPREADER_API_KEY is not set: nobody could call the API. Set it to a secret of your own, and start again."
        )
    run(build(settings), settings, settings.ingress_port)
