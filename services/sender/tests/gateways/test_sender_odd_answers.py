"""Odd answers: whatever a gateway answers, every text that a driver returns can be stored and sent."""

import asyncio
import copy
import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sender.gateways.cloud_api import CloudApiDriver
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.evolution import EvolutionDriver
from sender.gateways.http_client import CallOutcome, GatewayCall, GatewayClient, HttpResponse, Timeouts
from sender.gateways.number_resolver import NumberResolver
from sender.gateways.simulator import SimulatorDriver
from sender.gateways.uploads import UploadCache
from sender.gateways.waha import WahaDriver
from sender.testing import NOON
from sender.testing.contents import CONTENTS, reply_with
from sender.testing.files import MemoryMedia, MemoryUploads
from sender.testing.gateway_server import BAILEYS, KEYS, profile_at
from sender.testing.numbers import MemoryNumbers
from spreader.contract import configuration
from spreader.contract.configuration import Gateway, Profile
from spreader.testing import ManualClock
from spreader.text import lenient_json
from spreader.text.clean_text import clean

BODIES: dict[configuration.Driver, list[Any]] = {
    "cloud_api": [
        {"messages": [{"id": "wamid.1"}]}, {"id": "106", "status": "odd", "quality_rating": "GREEN"},
        {"error": {"code": 100, "message": "no", "error_data": {"details": "why"}}},
    ],
    "waha": [
        {"id": {"_serialized": "true_1@c.us_3EB0"}}, {"id": "3EB0"}, {"status": "odd"},
        {"numberExists": True, "chatId": "1@c.us"}, {"response": {"message": "no"}}, {"error": "e", "status": "FAILED"},
    ],
    "evolution": [
        BAILEYS, {"instance": {"state": "odd"}}, [{"jid": "1@s.whatsapp.net", "exists": True}],
        {"response": {"message": ["no", "why"]}}, {"message": "no"},
    ],
    "simulator": [{"message_id": "g1"}, {"error": {"code": "transient"}}, {"error": {"code": "odd"}}],
}  # fmt: skip
IDS = {"gateway_message_id", "code", "address"}


class ScriptedClient(GatewayClient):
    """Gives one response to every call, read as the real client reads it."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__("tests", 1, Timeouts(1, 1))
        self.response = response

    async def call(self, call: GatewayCall) -> CallOutcome:
        return self.response


def driver_of(kind: configuration.Driver, client: GatewayClient) -> Driver:
    keyring, files = Keyring(KEYS), MemoryMedia()
    match kind:
        case "cloud_api":
            return CloudApiDriver(client, keyring, files, UploadCache(MemoryUploads()), 30)
        case "waha":
            numbers = NumberResolver(MemoryNumbers(), ManualClock(NOON), per_hour=60)
            return WahaDriver(client, keyring, files, 30, numbers)
        case "evolution":
            return EvolutionDriver(client, keyring, files, 30)
        case "simulator":
            return SimulatorDriver(client, 30, "http://ingress/")


def profile_of(kind: configuration.Driver) -> Profile:
    if kind != "simulator":
        return profile_at(kind, "http://127.0.0.1:1")
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a")
    return Profile(profile_id="p1", name="p1", phone="201111111111", gateway=gateway)


def texts_of(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a driver's result, each with the name of its field."""
    if isinstance(value, str):
        yield name, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in ("policies", "url", "headers", "body", "file"):  # what we send, and our own tables
                yield from texts_of(getattr(value, field.name), field.name)


async def results(driver: Driver, profile: Profile) -> list[Any]:
    """The results of every method of a driver."""
    found: list[Any] = [
        await driver.find(reply_with(CONTENTS["text"]), profile),
        await driver.check(profile),
        await driver.check_number(profile, "201000000001"),
    ]
    for kind in ("text", "image"):
        delivery = reply_with(CONTENTS[kind])
        prepared = await driver.prepare(delivery, profile)
        found.append(prepared)
        if hasattr(prepared, "url"):
            found.append(await driver.send(prepared, delivery, profile))  # pyright: ignore[reportArgumentType]
    return found


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*way, name))


ODD: st.SearchStrategy[Any] = st.text("\0\n\x07\ud83d\ude00a@_1", max_size=300) | st.sampled_from(
    ["a\0b", "half \ud83d", "x" * 5_000, None, 7, 10**300, [], {}, [["\ud83d"]], {"\0": "\ud83d"}]
)


@pytest.mark.parametrize("kind", BODIES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_text_that_a_driver_returns_is_clean(kind: configuration.Driver, data: st.DataObject) -> None:
    body = copy.deepcopy(data.draw(st.sampled_from(BODIES[kind])))
    way = data.draw(st.sampled_from([*places(body)]))
    piece: Any = body
    for step in way[:-1]:
        piece = piece[step]
    piece[way[-1]] = data.draw(ODD)
    raw, status = json.dumps(body).encode(), data.draw(st.sampled_from([200, 201, 400, 404, 422, 429, 500]))
    response = HttpResponse(status, lenient_json.parse(raw), raw.decode(), timedelta(seconds=1))
    for response_body in (response.body, json.loads(raw)):  # also if the client did not replace what is broken
        client = ScriptedClient(dataclasses.replace(response, body=response_body))
        for result in asyncio.run(results(driver_of(kind, client), profile_of(kind))):
            for name, text in texts_of(result):
                assert text == clean(text), (name, result)
                assert name not in IDS or len(text) <= 256
