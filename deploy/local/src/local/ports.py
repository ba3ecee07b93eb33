"""Port: a number on 127.0.0.1 that one program at a time may listen on."""

import asyncio
import secrets
import socket
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle

from local.unavailable import Unavailable

HOST = "127.0.0.1"
FREE_PORTS = range(20_000, 32_000)
"""Below the ephemeral range: no outgoing connection takes such a port while its server is away."""
ATTEMPTS_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen there now (as servers do: connections that linger do not count)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """One that nobody listens on now; this process gives it only once, as nobody may listen on it for a while."""
    for _ in range(ATTEMPTS_MAX):
        port = next(_walk())
        if is_free(port):
            return port
    raise Unavailable(
        f"No free port was found between {FREE_PORTS.start} and {FREE_PORTS.stop}: end what listens there."
    )


@cache
def _walk() -> Iterator[int]:
    """Round and round from a place of our own: processes that look for ports at the same time hardly ever meet."""
    first = secrets.randbelow(len(FREE_PORTS))
    return cycle([*FREE_PORTS[first:], *FREE_PORTS[:first]])


async def knock(port: int) -> None:
    """Raise where nobody listens: clients that cannot connect would fill the log with it."""
    _, writer = await asyncio.open_connection(HOST, port)
    writer.close()
    await writer.wait_closed()


def check_ports(ports: Mapping[str, int]) -> None:
    """Raise unless each is free; `ports` maps the setting that chooses a port to the port."""
    by_port: dict[int, str] = {}
    for setting, port in ports.items():
        if port in by_port:
            raise Unavailable(f"{setting} and {by_port[port]} are both {port}: give one of them another number.")
        by_port[port] = setting
        if not is_free(port):
            raise Unavailable(
                f"Port {port} is in use by another program: end that program, or choose another port by {setting}."
            )
