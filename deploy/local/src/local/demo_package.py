"""Demo package: four simulated profiles for a new system."""

from typing import Any

from local.api_client import ApiClient
from local.unavailable import Unavailable
from local.view import View

PACKAGE_ID = "demo"
PROFILES = 4

_PACKAGE: dict[str, Any] = {
    "package_id": PACKAGE_ID,
    "name": "Demo",
    "timezone": "UTC",
    "rest_window": None,  # so that the demo works at any hour
}


def profile_id(number: int) -> str:
    return f"{PACKAGE_ID}-{number}"


async def make_demo_package(ingress: str, key: str, view: View) -> None:
    """Create the demo package, or the parts of it that are missing. A failure is only logged, because the system works
    without the package."""
    try:
        async with ApiClient(f"{ingress}/api/v1", key) as api:
            if await api.get(f"/packages/{PACKAGE_ID}") is None:
                await api.post("/packages", _PACKAGE)
            for number in range(1, PROFILES + 1):
                await _make_profile(api, number)
    except Unavailable as reason:
        view.log(f"cannot create the demo package: {reason}", level="warning")


async def _make_profile(api: ApiClient, number: int) -> None:
    profiles = f"/packages/{PACKAGE_ID}/profiles"
    if await api.get(f"{profiles}/{profile_id(number)}") is None:
        await api.post(
            profiles,
            {
                "profile_id": profile_id(number),
                "name": f"Demo phone {number}",
                "phone": f"20100000000{number}",
                "gateway": {"driver": "simulator", "account": profile_id(number)},
            },
        )
