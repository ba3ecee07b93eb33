"""Port: a number on 127.0.0.1 that one program at a time may listen on."""

import asyncio
import random
import socket
from collections.abc import Mapping

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
    for _ in range(ATTEMPTS_MAX):
        port = random.choice(FREE_PORTS)
        if is_free(port):
            return port
    raise Unavailable(
        f"No free port was found between {FREE_PORTS.start} and {FREE_PORTS.stop}: end what listens there."
    )


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
