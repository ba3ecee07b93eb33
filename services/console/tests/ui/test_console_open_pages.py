"""Open pages: the gauge counts the pages that browsers have open."""

import asyncio

import pytest
from nicegui import Client, core
from nicegui.page import page
from prometheus_client import REGISTRY
from starlette.requests import Request

from console.app import build
from console.settings import ConsoleSettings


async def test_the_gauge_counts_the_pages_that_are_open_in_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
    build(ConsoleSettings())
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    shown, loading = (Client(page("/", reconnect_timeout=60), request=request) for _ in range(2))
    try:
        await shown.handle_handshake("socket", "tab", None, "document", None)
        assert not loading.has_socket_connection
        assert REGISTRY.get_sample_value("spreader_console_open_pages") == 1
        shown.handle_disconnect("socket")
        assert REGISTRY.get_sample_value("spreader_console_open_pages") == 0
    finally:
        shown.delete()
        loading.delete()
