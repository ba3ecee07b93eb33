"""Completion forecast from a pacer behind a real socket, and the notes when there is none."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from ingress.messages.forecast import CompletionForecast, forecast_completion, forecast_query
from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions
from spreader.http.service_client import HttpServiceClient, ServiceUnavailable

PACKAGE = Package(package_id="pkg", version=3, name="One")


@contextlib.asynccontextmanager
async def pacer_that(answers: Any, status: int = 200) -> AsyncGenerator[tuple[HttpServiceClient, list[Any]]]:
    """A pacer behind a real socket, and what it was asked."""
    asked = list[Any]()

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response(answers, status=status)

    app = web.Application()
    app.router.add_post("/forecast", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    pacer = HttpServiceClient("pacer", f"http://{host}:{port}/", "token")
    await pacer.start()
    try:
        yield pacer, asked
    finally:
        await pacer.stop()
        await runner.cleanup()


async def test_the_pacers_forecast_is_the_estimated_completion() -> None:
    options = OpenOptions(waiting_strategy="drip", drip_interval_minutes=5)
    asks = forecast_query(PACKAGE, {"a": 2, "b": 1}, options, ["201001234567"], "answer")
    async with pacer_that({"completion": "2024-02-10T10:15:00Z"}) as (pacer, asked):
        assert await forecast_completion(pacer, asks, 30) == CompletionForecast("2024-02-10T10:15:00Z")
    assert asked == [
        {
            "package_id": "pkg",
            "package_version": 3,
            "deliveries": {"a": 2, "b": 1},
            "recipients": ["201001234567"],
            "options": {"waiting_strategy": "drip", "drip_interval_minutes": 5.0},
            "message_id": None,
            "purpose": "answer",
        }
    ]


async def test_without_a_forecast_a_note_says_why() -> None:
    asks = forecast_query(PACKAGE, {"a": 1}, OpenOptions(), [], "answer")
    for answers, status in (({"completion": None, "binds": "package paused"}, 200), ({}, 404), ({}, 500)):
        async with pacer_that(answers, status) as (pacer, _):
            foreseen = await forecast_completion(pacer, asks, 30)
            assert (foreseen.completion, bool(foreseen.note)) == (None, True)
    nobody = HttpServiceClient("pacer", "http://127.0.0.1:9", None)
    assert await nobody.query("/forecast") == ServiceUnavailable(
        "the pacer cannot be queried yet: this process is still starting"
    )
    await nobody.start()
    assert isinstance(await nobody.query("/forecast"), ServiceUnavailable)
    await nobody.stop()


async def test_an_extrapolated_time_has_a_note() -> None:
    asks = forecast_query(PACKAGE, {"a": 9_000}, OpenOptions(), [], "answer")
    end = {"completion": "2024-05-10T10:15:00Z", "counted_until": "2024-02-15T10:15:00Z", "simulated": 500}
    async with pacer_that(end) as (pacer, _):
        forecast = await forecast_completion(pacer, asks, 30)
    assert forecast.completion == end["completion"]
    assert (forecast.note or "").startswith("extrapolated: the pacer simulated 500 releases of the queue")
    assert "off by a quarter" in (forecast.note or "")
    async with pacer_that({**end, "counted_until": None}) as (pacer, _):
        assert (await forecast_completion(pacer, asks, 30)).note is None


async def test_a_busy_pacer_says_in_the_note_that_it_is_busy() -> None:
    """Red before: the note was `the pacer responded with status 503`."""
    busy = "the pacer has no forecast now: 8 other forecasts wait already"
    asks = forecast_query(PACKAGE, {"a": 1}, OpenOptions(), [], "answer")
    async with pacer_that({"detail": busy}, 503) as (pacer, _):
        assert await forecast_completion(pacer, asks, 30) == CompletionForecast(None, busy)
    async with pacer_that([], 503) as (pacer, _):
        assert (await forecast_completion(pacer, asks, 30)).note == "the pacer responded with status 503"
