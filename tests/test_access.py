"""Access: the table of what each service may do in Kafka agrees with the code of the services."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from docs.settings import SECTIONS
from docs.sources import SERVICES, sources
from pydantic_settings import BaseSettings

from spreader.contract.access import ACCESS, OPERATOR, USERS, Rule, rules
from spreader.contract.events import DEAD_LETTER_TOPIC, EVENTS, PARTITIONS
from spreader.kafka.access.acls import acls, commands
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_read_and_write_what_its_code_reads_and_writes(service: str) -> None:
    code, access = sources(service), ACCESS.get(service)
    assert set(access.reads if access else ()) == code.read()
    assert set(access.writes if access else ()) == code.published()


@pytest.mark.parametrize("service", ACCESS)
def test_a_service_may_join_the_groups_that_its_parts_join(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = set[str]()
    for kind, position in ((GuardedConsumer, 0), (GroupProgress, 1)):
        monkeypatch.setattr(kind, "__init__", _noted(kind.__init__, position, groups))
    build: Callable[[BaseSettings], object] = importlib.import_module(f"{service}.app").build
    build(SECTIONS[service](api_key="not used: nothing is started"))
    assert groups == {*ACCESS[service].groups}


def _noted(init: Callable[..., None], position: int, groups: set[str]) -> Callable[..., None]:
    def noted(self: object, *arguments: Any, **named: Any) -> None:
        groups.add(arguments[position])
        init(self, *arguments, **named)

    return noted


@pytest.mark.parametrize("service", ACCESS)
def test_the_rules_allow_exactly_the_topics_of_the_table(service: str) -> None:
    access, given = ACCESS[service], rules(service)
    allowed = {rule.name: rule.operations for rule in given if rule.resource == "topic"}
    for topic in PARTITIONS:
        reads = any(kind.topic == topic for kind in access.reads)
        writes = topic == DEAD_LETTER_TOPIC or any(kind.topic == topic for kind in access.writes)
        assert allowed.get(topic, ()) == (*(["Read"] if reads else []), *(["Write"] if writes else []))
    assert [rule for rule in given if rule.resource == "group"] == [
        Rule("group", group, ("Read",)) for group in access.groups
    ]


def test_every_event_has_a_writer_and_every_topic_is_the_operators_too() -> None:
    written = {kind for access in ACCESS.values() for kind in access.writes}
    assert written == {*EVENTS}
    assert {rule.name for rule in rules(OPERATOR)} == {*PARTITIONS}


def test_the_commands_of_kafkas_tool_say_the_same_as_the_acls() -> None:
    shown = list(commands("kafka:9092", "User:CN={user}"))
    assert (
        "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal 'User:CN=sender' --operation Read "
        "--group sender-receipts"
    ) in shown
    assert len(shown) == sum(len(rules(user)) for user in USERS)
    assert sum(line.count("--operation ") for line in shown) == len(acls("User:CN={user}"))
