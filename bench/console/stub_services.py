"""Stub services: an ingress and a stats service that answer at once, with figures that change each second."""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANGED_SHARE = 0.2
"""The share of profiles whose figures change each second. In production the share is far lower. If 200 profiles send 20
messages an hour each, they send about one message a second together."""


class StubServices:
    """The API paths that the page of one package needs."""

    def __init__(self, profiles: int) -> None:
        self._profiles = profiles

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/packages", self.packages)
        app.router.add_get("/api/v1/packages/fleet/profiles", self.profiles)
        app.router.add_get("/api/v1/packages/fleet/queue", self.queue)
        app.router.add_get("/api/v1/profiles", self.states)
        app.router.add_get("/api/v1/alerts", self.alerts)
        return app

    async def packages(self, _: web.Request) -> web.Response:
        ids = [self._id(number) for number in range(self._profiles)]
        counts = {"sent": self._profiles, "sent_open": self._profiles, "received": 0}
        figures = {"profiles": {"ok": self._profiles}, "hour": counts, "day": counts, "open_alerts": 0}
        package = {"package_id": "fleet", "name": "Fleet", "profile_ids": ids, **figures}  # for ingress and for stats
        return web.json_response({"data": [package]})

    async def profiles(self, request: web.Request) -> web.Response:
        begin, limit = int(request.query.get("cursor", 0)), int(request.query["limit"])
        end = min(begin + limit, self._profiles)
        shown = [
            {
                "profile_id": self._id(number),
                "package_id": "fleet",
                "name": f"Sales WhatsApp #{number}",
                "phone": f"2010{number:08}",
                "gateway": {"driver": "simulator"},
            }
            for number in range(begin, end)
        ]
        return web.json_response({"data": shown, "next_cursor": str(end) if end < self._profiles else None})

    async def queue(self, _: web.Request) -> web.Response:
        paces = [self._pace(number) for number in range(self._profiles)]
        return web.json_response(
            {
                "package_id": "fleet",
                "at": BEGAN.isoformat(),
                "held": 9_000,
                "rush_over": 10,
                "profiles_in_rush": 3,
                "at_gateway": {"now": 2, "max": 10},
                "profiles": paces,
            }
        )

    async def states(self, _: web.Request) -> web.Response:
        data = [self._state(number) for number in range(self._profiles)]
        return web.json_response({"data": data})

    async def alerts(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [], "next_cursor": None})

    def _id(self, number: int) -> str:
        return f"profile-{number}"

    def _changes(self, number: int) -> int:
        """How often this profile's figures have changed so far."""
        every = 1 / CHANGED_SHARE
        return int((time.monotonic() + every * number / self._profiles) / every)

    def _pace(self, number: int) -> dict[str, Any]:
        changes = self._changes(number)
        limits = {
            name: {"used": changes % limit, "limit": limit}
            for name, limit in (("hour limit", 20), ("3 hours limit", 50), ("day limit", 120))
        }
        due = (BEGAN + timedelta(seconds=170 * (changes % 400))).isoformat()
        return {
            "profile_id": self._id(number),
            "due": 11,
            "held": 45,
            "next_release": due,
            "bound": "gap",
            "bounds": {"gap": due},
            "limits": limits,
        }

    def _state(self, number: int) -> dict[str, Any]:
        counts = {"sent": self._changes(number), "sent_open": self._changes(number)}
        windows = dict.fromkeys(("hour", "three_hours", "day"), counts)
        health = {
            "score": 97,
            "band": "good",
            "reasons": [
                {"name": name, "weight": 20, "share": 0.97, "evidence": "81 of 90 sent over an hour ago were delivered"}
                for name in ("delivered", "block signals", "replies", "failures", "connection")
            ],
        }
        return {
            "profile_id": self._id(number),
            "package_id": "fleet",
            "windows": windows,
            "health": health,
            "at": BEGAN.isoformat(),
        }


if __name__ == "__main__":
    web.run_app(StubServices(int(sys.argv[2])).app(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
