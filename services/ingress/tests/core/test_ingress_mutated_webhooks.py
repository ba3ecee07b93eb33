"""Mutated webhooks: a thousand webhooks of each gateway, changed anywhere but in sender and text, lose no opt-out."""

import copy
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingress.core.opt_out import is_opt_out
from ingress.core.reports import (
    AddressedReport,
    EditedMessage,
    InboundMessage,
    MarketingPreference,
    UnexpectedMessage,
)
from ingress.core.webhook_parsers import WebhookParser
from ingress.core.webhook_parsers.cloud_api import CloudApiParser
from ingress.core.webhook_parsers.evolution import EvolutionParser
from ingress.core.webhook_parsers.waha import WahaParser

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PARSERS: dict[str, WebhookParser] = {
    "cloud_api": CloudApiParser(),
    "waha": WahaParser(),
    "evolution": EvolutionParser(),
}
WEBHOOKS_OF_EACH = 1_000
SENDER = {
    "from", "fromMe", "wa_id", "user_id", "from_user_id", "recipient_id", "recipient_user_id", "remoteJid",
    "remoteJidAlt", "senderPn", "participantAlt", "SenderAlt",
}  # fmt: skip
"""Members that name the sender, or say who sent a message."""
TEXT = {"value", "marketing", "code", "paramsJson"}
"""Members that say what a customer wants. They are no texts, or they contain the text."""
DEPTH = 20
JUNK = [json.dumps(value) for value in (
    None, True, False, 0, -1, 1, 10**30, 1.5, 1e300, "", "x", "_", "true_", "1@lid", "9" * 400, "a\0b", "half \ud83d",
    "\x1b" * 300, "2025-03-06T08:28:22", [], {}, [None, 1, "x"], {"id": {"x": 1}}, {"message": {"x": 1}},
    [[[]]], "STOP PRESS", {"text": 5}, {"body": None}, {"key": []},
)] + ["[" * 400 + "]" * 400]  # fmt: skip


def opt_outs(reports: list[AddressedReport]) -> set[str]:
    """The people whom these reports suppress."""
    people = set[str]()
    for each in reports:
        match each.report:
            case MarketingPreference(recipient, stop=True):
                people.add(recipient)
            case (
                InboundMessage(recipient=recipient, text=text)
                | EditedMessage(recipient=recipient, text=text)
                | UnexpectedMessage(recipient=recipient, text=text)
            ) if is_opt_out(text):
                people.add(recipient)
            case _:
                pass
    return people


def parse(driver: str, body: Any) -> set[str]:
    return opt_outs(PARSERS[driver].parse(json.dumps(body).encode(), NOON))


def originals(driver: str) -> list[tuple[str, Any, set[str]]]:
    """The recorded webhooks with an opt-out, and the people who opt out."""
    shapes = sorted((Path(__file__).parent / "shapes" / driver).glob("*.json"))
    bodies = [(path.stem, json.loads(path.read_text())["body"]) for path in shapes]
    return [(name, body, people) for name, body in bodies if (people := parse(driver, body))]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield way, value
    if len(way) == DEPTH:
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*way, name))


def is_protected(way: tuple[Any, ...], value: Any) -> bool:
    names = (SENDER | TEXT) & {step for step in way if isinstance(step, str)}
    is_leaf = not isinstance(value, (dict, list))
    return is_leaf and (is_opt_out(str(value)) or bool(names and way[-1] in names))


def mutate(body: Any, chance: random.Random) -> Any:
    """The body with one to four changes. A container of the sender or the text gets new members, but stays."""
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 4)):
        every = dict(places(body))
        protected = {way[:length] for way, value in every.items() if is_protected(way, value)
                     for length in range(len(way) + 1)}  # fmt: skip
        way = chance.choice([way for way in every if way])
        holder, junk = every[way[:-1]], json.loads(chance.choice(JUNK))
        if way in protected:
            value = every[way]
            if isinstance(value, dict):
                value[f"new_{chance.randint(0, 99)}"] = junk
            elif isinstance(value, list) and way[-1] != "contacts":  # the only contact may be the sender
                value.insert(chance.randint(0, len(value)), junk)
        elif chance.random() < 0.3:
            del holder[way[-1]]
        else:
            holder[way[-1]] = junk
    return body


@pytest.mark.parametrize("driver", PARSERS)
def test_mutated_webhooks_raise_nothing_and_lose_no_opt_out(driver: str) -> None:
    recorded, chance = originals(driver), random.Random(18)
    assert len(recorded) >= 9
    lost: list[str] = []
    for number in range(WEBHOOKS_OF_EACH):
        name, body, people = recorded[number % len(recorded)]
        mutated = mutate(body, chance)
        if not people <= parse(driver, mutated):
            lost.append(f"{name}: {json.dumps(mutated)[:1500]}")
    assert lost == []


def test_mutations_are_varied() -> None:
    (_, body, _), *_ = originals("waha")
    chance = random.Random(18)
    assert len({json.dumps(mutate(body, chance)) for _ in range(100)}) > 90
