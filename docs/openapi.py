"""OpenAPI document: the description of ingress's HTTP API, made without starting it."""

from typing import Any

from ingress.app import build
from ingress.settings import IngressSettings


def document() -> dict[str, Any]:
    return build(IngressSettings(api_key="not used: nothing is started")).openapi()
