"""python -m router: run the router until it is stopped."""

from router.app import build
from router.settings import RouterSettings
from spreader.runtime.service import run

if __name__ == "__main__":
    settings = RouterSettings()
    run(build(settings), settings, settings.router_port)
