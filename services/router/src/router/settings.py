"""Settings: what the environment may decide for the router."""

from pydantic import PositiveInt

from spreader.settings import Settings


class RouterSettings(Settings):
    router_port: PositiveInt = 8002
