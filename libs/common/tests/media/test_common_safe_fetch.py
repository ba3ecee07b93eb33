"""Safe fetch: no private address is reached, and size and time are bounded."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import pytest
from aiohttp import web

from spreader.media.safe_fetch import (
    AddressFilter,
    MediaDownloader,
    MediaRefused,
    MediaUnavailable,
    is_public,
    system_resolver,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(**pages: Handler) -> AsyncGenerator[str]:
    app = web.Application()
    for name, handler in pages.items():
        app.router.add_get(f"/{name}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(**answer: Any) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(**answer)

    return handle


def fetcher(*allowed: str) -> MediaDownloader:
    return MediaDownloader(AddressFilter(frozenset(allowed)))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001:db8::1",
    ],
)
async def test_a_private_address_is_refused_before_anything_is_sent(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert not is_public(address)
    with pytest.raises(MediaRefused, match="private"):
        await fetcher().fetch(f"http://{host}/a.png", 100, 5)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", ["http://2130706433/a", "http://0x7f.1/a", "http://localhost/a"])
async def test_other_notations_of_localhost_are_refused_too(url: str) -> None:
    with pytest.raises((MediaRefused, MediaUnavailable)):
        await fetcher().fetch(url, 100, 5)


async def test_a_name_that_resolves_to_a_private_address_is_refused() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "10.0.0.7"]

    with pytest.raises(MediaRefused, match="private"):
        await MediaDownloader(AddressFilter(resolve=resolve)).fetch("https://cdn.example/a.png", 100, 5)


async def test_the_name_is_resolved_once_so_that_it_cannot_change_after_the_check() -> None:
    async with serving(file=answering(body=b"fine")) as here:
        port = int(here.rpartition(":")[2])
        looked: list[str] = []

        async def resolve(host: str, port: int) -> Sequence[str]:
            looked.append(host)
            return ["127.0.0.1"] if len(looked) == 1 else ["127.0.0.99"]

        guard = AddressFilter(frozenset({f"cdn.example:{port}"}), resolve)
        assert await MediaDownloader(guard).fetch(f"http://cdn.example:{port}/file", 100, 5) == b"fine"
        assert looked == ["cdn.example"]


async def test_an_international_name_is_resolved_in_its_ascii_form() -> None:
    async with serving(file=answering(body=b"fine")) as here:
        port = int(here.rpartition(":")[2])
        looked: list[str] = []

        async def resolve(host: str, port: int) -> Sequence[str]:
            looked.append(host)
            return ["127.0.0.1"]

        guard = AddressFilter(frozenset({f"xn--bcher-kva.example:{port}", f"xn--mgbh0fb.example:{port}"}), resolve)
        for name in ("bücher.example", "BÜCHER.example", "مثال.example"):
            assert await MediaDownloader(guard).fetch(f"http://{name}:{port}/file", 100, 5) == b"fine"
        assert looked == ["xn--bcher-kva.example"] * 2 + ["xn--mgbh0fb.example"]


@pytest.mark.parametrize("url", ["http://１２７.０.０.１/a", "http://127。0。0。1/a", "http://ⓛocalhost/a"])
async def test_localhost_in_other_letters_is_refused(url: str) -> None:
    with pytest.raises((MediaRefused, MediaUnavailable)):
        await fetcher().fetch(url, 100, 5)


@pytest.mark.parametrize(("contact", "shown"), [(None, ""), ("ops@shop.example", " (+ops@shop.example)")])
async def test_a_request_says_who_we_are(contact: str | None, shown: str) -> None:
    agents: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        agents.append(request.headers.get("User-Agent"))
        return web.Response(body=b"fine")

    async with serving(file=answer) as here:
        await MediaDownloader(AddressFilter(frozenset({here})), contact).fetch(f"http://{here}/file", 100, 5)
    assert agents == [f"Spreader/{version('spreader')}{shown}"]


async def test_a_redirect_is_followed_and_one_to_a_private_address_is_refused() -> None:
    async with serving(
        file=answering(body=b"here"),
        near=answering(status=302, headers={"Location": "/file"}),
        inward=answering(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"}),
        round=answering(status=307, headers={"Location": "/round"}),
        scheme=answering(status=301, headers={"Location": "file:///etc/passwd"}),
    ) as here:
        assert await fetcher(here).fetch(f"http://{here}/near", 100, 5) == b"here"
        for page, why in (("inward", "private"), ("round", "leads on"), ("scheme", "only http")):
            with pytest.raises(MediaRefused, match=why):
                await fetcher(here).fetch(f"http://{here}/{page}", 100, 5)


async def test_a_file_that_is_too_large_is_refused_with_and_without_a_content_length() -> None:
    async def undeclared(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(10):
            await answer.write(b"x" * 100)
        return answer

    async with serving(declared=answering(body=b"x" * 1_000), undeclared=undeclared) as here:
        for page in ("declared", "undeclared"):
            with pytest.raises(MediaRefused, match="over 500 bytes"):
                await fetcher(here).fetch(f"http://{here}/{page}", 500, 5)


async def test_an_endless_download_is_refused() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        import asyncio

        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(drip=drip) as here:
        with pytest.raises(MediaRefused, match=r"did not end within 2 s"):
            await fetcher(here).fetch(f"http://{here}/drip", 10_000_000, 2)


async def test_temporary_errors_are_unavailable_and_permanent_ones_refused() -> None:
    async with serving(busy=answering(status=503), throttled=answering(status=429), gone=answering(status=404)) as here:
        for page in ("busy", "throttled"):
            with pytest.raises(MediaUnavailable, match="answered"):
                await fetcher(here).fetch(f"http://{here}/{page}", 100, 5)
        with pytest.raises(MediaRefused, match="answered 404"):
            await fetcher(here).fetch(f"http://{here}/gone", 100, 5)
    with pytest.raises(MediaUnavailable, match="cannot be reached"):
        await fetcher(here).fetch(f"http://{here}/stopped", 100, 5)
    with pytest.raises(MediaUnavailable, match="not known"):
        await fetcher().fetch("http://nowhere.invalid/a", 100, 5)


@pytest.mark.parametrize("url", ["ftp://example.com/a", "http://user:pw@example.com/a", "http://[::1", "https:///a"])
async def test_an_address_that_is_not_plain_http_is_refused(url: str) -> None:
    with pytest.raises(MediaRefused):
        await fetcher().fetch(url, 100, 5)


async def test_the_system_resolver_is_used() -> None:
    assert set(await system_resolver("localhost", 80)) <= {"127.0.0.1", "::1"}
