"""Fetching: a file from an address that somebody gave us, without being led to where only we can go (SSRF)."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

REDIRECTS_MAX = 3
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 5.0
RESOLVE_SECONDS = 3.0
PIECE_BYTES = 64 * 1024
PASSING = frozenset({408, 425, 429})
"""Answers of the 400s that a later try may not get."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host; raises OSError where it has none."""


class MediaRefused(Exception):
    """The file can never be sent: the words say why."""


class MediaUnavailable(Exception):
    """The file cannot be had now."""


async def of_system(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def is_public(address: str) -> bool:
    """Whether an address is on the internet for everybody; those that carry another inside are judged by it too."""
    ip: Address = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True, slots=True)
class AddressFilter:
    """`allowed`: `host:port` of internal servers that are fetched from all the same."""

    allowed: frozenset[str] = frozenset()
    resolve: Resolve = field(default=of_system, repr=False)

    @classmethod
    def of(cls, hosts: str) -> "AddressFilter":
        return cls(frozenset(each.strip().lower() for each in hosts.split(",") if each.strip()))

    async def addresses(self, url: str) -> tuple[str, int, Sequence[str]]:
        """Host, port, and the addresses that may be connected to; raises `MediaRefused` or `MediaUnavailable`."""
        host, port = _place(url)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = [host] if _is_literal(host) else await self.resolve(host, port)
        except (OSError, TimeoutError, UnicodeError):
            raise MediaUnavailable(f"the name {host[:100]} is not known") from None
        if f"{host}:{port}" not in self.allowed and not all(is_public(each) for each in found):
            raise MediaRefused("it leads to a private address: only files on the public internet are fetched")
        return host, port, found


@dataclass(frozen=True, slots=True)
class MediaDownloader:
    guard: AddressFilter

    async def fetch(self, url: str, bytes_max: int, seconds: float) -> bytes:
        """The file. Raises `MediaRefused` (never) or `MediaUnavailable` (perhaps later)."""
        began: list[bool] = []
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url, bytes_max, began)
        except TimeoutError:
            if began:
                raise MediaRefused(f"it did not end within {seconds:g} s") from None
            raise MediaUnavailable(f"nothing came within {seconds:g} s") from None
        except aiohttp.InvalidURL:
            raise MediaRefused("it is not an address") from None
        except (aiohttp.ClientError, OSError) as error:
            raise MediaUnavailable(f"it cannot be reached: {type(error).__name__}") from None

    async def _follow(self, url: str, bytes_max: int, began: list[bool]) -> bytes:
        for _ in range(REDIRECTS_MAX + 1):
            host, _, addresses = await self.guard.addresses(url)
            connector = aiohttp.TCPConnector(resolver=_Checked(host, addresses), use_dns_cache=False, force_close=True)
            timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
                session.get(url, allow_redirects=False, headers={"Accept": "*/*"}) as answer,
            ):
                if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                return await _body(answer, bytes_max, began)
        raise MediaRefused(f"it leads on more than {REDIRECTS_MAX} times")


async def _body(answer: aiohttp.ClientResponse, bytes_max: int, began: list[bool]) -> bytes:
    if answer.status >= 500 or answer.status in PASSING:
        raise MediaUnavailable(f"its server answered {answer.status}")
    if answer.status != 200:
        raise MediaRefused(f"its server answered {answer.status}")
    if (answer.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    pieces, size = list[bytes](), 0
    async for piece in answer.content.iter_chunked(PIECE_BYTES):
        began.append(True)
        size += len(piece)
        if size > bytes_max:
            raise _too_large(bytes_max)
        pieces.append(piece)
    return b"".join(pieces)


class _Checked(AbstractResolver):
    """Answers the addresses that were checked: a second look might find others (DNS rebinding)."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if host != self._host:
            raise OSError(f"{host} was not checked")
        return [_result(host, port, each) for each in self._addresses]

    async def close(self) -> None:
        return None


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise MediaRefused("it is not an address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise MediaRefused("only http and https addresses are fetched")
    if parts.username is not None or parts.password is not None:
        raise MediaRefused("an address with a user name or password in it is not fetched")
    return host, port or (443 if parts.scheme == "https" else 80)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _too_large(bytes_max: int) -> MediaRefused:
    return MediaRefused(f"it is over {bytes_max} bytes")
