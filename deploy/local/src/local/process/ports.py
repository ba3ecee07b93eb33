"""Ports: free TCP ports on 127.0.0.1."""

import asyncio
import secrets
import socket
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle

from local.unavailable import Unavailable

HOST = "127.0.0.1"
FREE_PORTS = range(20_000, 32_000)
"""These ports are below the range from which the system takes ports of outgoing connections. So no outgoing connection
takes the port of a server that is down for a while."""
ATTEMPTS_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now. Connections of an earlier server that are still closing do not
    matter."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that is free now. No port is returned twice in this process, because the server for the first one may
    start only later."""
    for _ in range(ATTEMPTS_MAX):
        port = next(_candidates())
        if is_free(port):
            return port
    raise Unavailable(
        f"No free port between {FREE_PORTS.start} and {FREE_PORTS.stop}. Stop some programs that listen there."
    )


@cache
def _candidates() -> Iterator[int]:
    """All ports in a cycle that begins at a random port. So processes that look for ports at the same time rarely
    choose the same one."""
    first = secrets.randbelow(len(FREE_PORTS))
    return cycle([*FREE_PORTS[first:], *FREE_PORTS[:first]])


async def require_listener(port: int) -> None:
    """Raise OSError when nothing listens on the port. Call this before a Kafka client connects, because the client
    would log every failed connection."""
    _, writer = await asyncio.open_connection(HOST, port)
    writer.close()
    await writer.wait_closed()


def check_ports(ports: Mapping[str, int]) -> None:
    """Raise Unavailable unless all ports are free. `ports` maps the setting of each port to the port."""
    by_port: dict[int, str] = {}
    for setting, port in ports.items():
        if port in by_port:
            raise Unavailable(f"{setting} and {by_port[port]} are both {port}. Change one of them.")
        by_port[port] = setting
        if not is_free(port):
            raise Unavailable(
                f"Port {port} is in use by another program. Stop that program, or choose another port with {setting}."
            )
