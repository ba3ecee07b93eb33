"""Forecast: what the pacer foresees, and what is said when it does not answer."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from ingress.forecast import Forecast, Pacer
from spreader.events import OpenOptions


@contextlib.asynccontextmanager
async def pacer_that(answers: Any, status: int = 200) -> AsyncGenerator[tuple[Pacer, list[Any]]]:
    """A pacer behind a real socket, and what it was asked."""
    asked = list[Any]()

    async def forecast(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response(answers, status=status)

    app = web.Application()
    app.router.add_post("/forecast", forecast)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    pacer = Pacer(f"http://{host}:{port}/")
    await pacer.start()
    yield pacer, asked
    await pacer.stop()
    await runner.cleanup()


async def test_the_pacers_forecast_is_the_estimate() -> None:
    async with pacer_that({"completion": "2024-02-10T10:15:00Z"}) as (pacer, asked):
        options = OpenOptions(waiting_strategy="drip", drip_interval_minutes=5)
        assert await pacer.forecast("pkg", {"a": 2, "b": 1}, options) == Forecast("2024-02-10T10:15:00Z")
    assert asked == [
        {
            "package_id": "pkg",
            "deliveries": {"a": 2, "b": 1},
            "options": {"waiting_strategy": "drip", "drip_interval_minutes": 5.0},
        }
    ]


async def test_without_a_forecast_there_is_a_reason() -> None:
    for answers, status in (({"completion": None}, 200), (["x"], 200), ({}, 500)):
        async with pacer_that(answers, status) as (pacer, _):
            forecast = await pacer.forecast("pkg", {"a": 1}, OpenOptions())
            assert (forecast.completion, bool(forecast.note)) == (None, True)
    nobody = Pacer("http://127.0.0.1:9")
    await nobody.start()
    forecast = await nobody.forecast("pkg", {"a": 1}, OpenOptions())
    assert (forecast.completion, bool(forecast.note)) == (None, True)
    await nobody.stop()
    await asyncio.sleep(0)
