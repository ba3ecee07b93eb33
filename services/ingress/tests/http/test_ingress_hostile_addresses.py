"""Hostile addresses: no text in a path or a query makes the ingress fail."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from ingress.testing import System

PARAMETER = re.compile(r"\{[a-z_]+\}")
PLAIN = ("limit", "cursor", "hub.verify_token", "hub.challenge")
"""Parameters that several endpoints read. Some of them are not declared."""
OLD_MESSAGE = "msg_" + "0" * 26
"""No request waits for this message, because its id is of 1970."""


def addresses(system: System, text: str) -> Iterator[tuple[str, str]]:
    """Each operation, once with the text as each part of its path, and once as each parameter of its query."""
    for route in system.app.routes:
        if isinstance(route, APIRoute):
            query = {*PLAIN, *(parameter.alias for parameter in route.dependant.query_params)}
            for method in sorted(route.methods or ()):
                if PARAMETER.search(route.path):
                    yield method, PARAMETER.sub(lambda _: text, route.path)
                if method == "GET":
                    path = PARAMETER.sub("pkg", route.path.replace("{message_id}", OLD_MESSAGE))
                    for name in sorted(query):
                        yield method, f"{path}?{name}={text}"


@pytest.mark.parametrize("text", ["%00", "a%00b", "%ED%A0%80", "..%2F..%2Fetc", "%0D", "%FF"])
async def test_no_address_makes_a_request_fail(system: System, text: str) -> None:
    await system.package("a")
    tried = 0
    for method, address in addresses(system, text):
        answer = await system.http.request(method, f"http://ingress{address}", content=b"{}")
        assert answer.status_code < 500 or answer.status_code == 503, (method, address, answer.text)
        tried += 1
    assert tried > 100
