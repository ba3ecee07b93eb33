"""python -m ingress: runs the ingress until it gets SIGTERM or SIGINT."""

import sys

from ingress.app import build
from ingress.settings import IngressSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = IngressSettings()
    if not settings.api_key:
        sys.exit("SPREADER_API_KEY is not set: no caller could use the API. Set it to a secret of your choice.")
    run(build(settings), settings, settings.ingress_port)
