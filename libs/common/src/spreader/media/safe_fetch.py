"""Safe fetch: downloads a file from a caller's URL. It refuses private addresses, because a caller could otherwise
reach our own servers through it (server-side request forgery)."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

REDIRECTS_MAX = 3
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 5.0
RESOLVE_SECONDS = 3.0
CHUNK_BYTES = 64 * 1024
RETRYABLE = frozenset({408, 425, 429})
"""The client error statuses after which a later try may succeed."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Write = Callable[[bytes], Awaitable[None]]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host. Raises OSError if the host has none."""


class MediaRefused(Exception):
    """The file can never be sent. The text of the error says why."""


class MediaUnavailable(Exception):
    """The file cannot be read now. A later try may succeed."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


def is_public(address: str) -> bool:
    """Whether an address is on the public internet. If an IPv6 address contains an IPv4 address, the IPv4 address
    decides."""
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
    """Allows only public addresses, and the internal servers in `allowed` (each as `host:port`)."""

    allowed: frozenset[str] = frozenset()
    resolve: Resolve = field(default=system_resolver, repr=False)

    @classmethod
    def of(cls, hosts: str) -> "AddressFilter":
        return cls(frozenset(host.strip().lower() for host in hosts.split(",") if host.strip()))

    async def addresses(self, url: str) -> tuple[str, int, Sequence[str]]:
        """Host, port and IP addresses of a URL. Raises `MediaRefused` or `MediaUnavailable`."""
        host, port = _host_and_port(url)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = [host] if _is_ip_address(host) else await self.resolve(host, port)
        except (OSError, TimeoutError, UnicodeError):
            raise MediaUnavailable(f"the name {host[:100]} is not known") from None
        if f"{host}:{port}" not in self.allowed and not all(is_public(address) for address in addresses):
            raise MediaRefused("it leads to a private address: only files on the public internet are fetched")
        return host, port, addresses


@dataclass(frozen=True, slots=True)
class MediaDownloader:
    address_filter: AddressFilter
    contact: str | None = None
    """Where the owner of a server can reach us, such as a mail address."""

    @property
    def _headers(self) -> dict[str, str]:
        return {"Accept": "*/*", "User-Agent": user_agent(self.contact)}

    async def fetch(self, url: str, bytes_max: int, seconds: float) -> bytes:
        """The file's bytes. Raises `MediaRefused` (do not try again) or `MediaUnavailable` (try again later)."""
        chunks = list[bytes]()

        async def keep(chunk: bytes) -> None:
            chunks.append(chunk)

        await self.fetch_to(keep, url, bytes_max, seconds)
        return b"".join(chunks)

    async def fetch_to(self, write: Write, url: str, bytes_max: int, seconds: float) -> int:
        """Writes the file in chunks while it arrives. Returns its size in bytes. Raises as `fetch` does."""
        sizes = list[int]()
        try:
            async with asyncio.timeout(seconds):
                await self._follow(write, url, bytes_max, sizes)
                return sum(sizes)
        except TimeoutError:
            if sizes:
                raise MediaRefused(f"it did not end within {seconds:g} s") from None
            raise MediaUnavailable(f"nothing came within {seconds:g} s") from None
        except aiohttp.InvalidURL:
            raise MediaRefused("it is not an address") from None
        except (aiohttp.ClientError, OSError) as error:
            raise MediaUnavailable(f"it cannot be reached: {type(error).__name__}") from None

    async def _follow(self, write: Write, url: str, bytes_max: int, sizes: list[int]) -> None:
        for _ in range(REDIRECTS_MAX + 1):
            host, _, addresses = await self.address_filter.addresses(url)
            connector = aiohttp.TCPConnector(
                resolver=_PinnedResolver(host, addresses), use_dns_cache=False, force_close=True
            )
            timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
                session.get(url, allow_redirects=False, headers=self._headers) as response,
            ):
                if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                    url = urljoin(url, response.headers["Location"])
                    continue
                return await _write_body(response, write, bytes_max, sizes)
        raise MediaRefused(f"it leads on more than {REDIRECTS_MAX} times")


def user_agent(contact: str | None) -> str:
    """Who we are, for the owners of the servers from which files are fetched."""
    return f"Spreader/{version('spreader')}" + (f" (+{contact})" if contact else "")


async def _write_body(response: aiohttp.ClientResponse, write: Write, bytes_max: int, sizes: list[int]) -> None:
    if response.status >= 500 or response.status in RETRYABLE:
        raise MediaUnavailable(f"its server answered {response.status}")
    if response.status != 200:
        raise MediaRefused(f"its server answered {response.status}")
    if (response.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        sizes.append(len(chunk))
        if sum(sizes) > bytes_max:
            raise _too_large(bytes_max)
        await write(chunk)


class _PinnedResolver(AbstractResolver):
    """Returns the addresses that were checked. A second DNS lookup might return other ones (DNS rebinding)."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if host != self._host:
            raise OSError(f"{host} was not checked")
        return [_result(host, port, address) for address in self._addresses]

    async def close(self) -> None:
        return None


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def _host_and_port(url: str) -> tuple[str, int]:
    """The host as it is resolved: an international name in its ASCII form (IDNA)."""
    try:
        parts = URL(url)  # aiohttp reads the address in the same way
        host, port = parts.raw_host, parts.port
    except ValueError:
        raise MediaRefused("it is not an address") from None
    if parts.scheme not in ("http", "https") or not host or not port:
        raise MediaRefused("only http and https addresses are fetched")
    if parts.user is not None or parts.password is not None:
        raise MediaRefused("an address with a user name or password in it is not fetched")
    return host.lower(), port


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _too_large(bytes_max: int) -> MediaRefused:
    return MediaRefused(f"it is over {bytes_max} bytes")
