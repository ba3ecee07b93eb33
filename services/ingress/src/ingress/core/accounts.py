"""Account: the WhatsApp account behind a profile. Two profiles send from one account if their `Account` objects are
equal."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Server(NamedTuple):
    scheme: str
    host: str
    port: int | None


class Account(NamedTuple):
    """`server`: the server and the path of the gateway's address. None for the Cloud API, because Meta gives each phone
    number its own id, and this id does not depend on the address."""

    driver: str
    server: tuple[Server, str] | None
    name: str


def server(url: str | None) -> Server | None:
    """The server of a URL, with the port that its scheme implies. None without a URL."""
    if url is None:
        return None
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # the port is not a number, or is over 65535
        port = None
    return Server(
        parts.scheme.lower(), (parts.hostname or "").lower(), port or _DEFAULT_PORTS.get(parts.scheme.lower())
    )


def account_of(gateway: Mapping[str, Any]) -> Account:
    """`gateway`: the stored gateway settings of a profile."""
    driver, url = gateway["driver"], gateway["base_url"]
    at = server(url)
    path = urlsplit(url).path.rstrip("/") if url else ""
    return Account(driver, None if driver == "cloud_api" or at is None else (at, path), gateway["account"])
