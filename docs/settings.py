"""Settings page: every `SPREADER_…` variable with its default and what it decides, from the settings classes."""

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from console.settings import ConsoleSettings
from ingress.settings import IngressSettings
from local.settings import TREE, LocalSettings
from pacer.settings import PacerSettings
from router.settings import RouterSettings
from sender.settings import SenderSettings
from simulator.settings import SimulatorSettings
from spreader.settings import Settings
from stats.settings import StatsSettings

SECTIONS: Mapping[str, type[BaseSettings]] = {
    "Every service": Settings,
    "ingress": IngressSettings,
    "router": RouterSettings,
    "pacer": PacerSettings,
    "sender": SenderSettings,
    "stats": StatsSettings,
    "console": ConsoleSettings,
    "simulator": SimulatorSettings,
    "`make up` and `make demo`": LocalSettings,
}
NOTES: Mapping[str, str] = {
    "kafka_bootstrap_servers": "Where Kafka is; several addresses with commas between.",
    "kafka_security": "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.",
    "kafka_username": "For SASL (mechanism PLAIN).",
    "kafka_password": "For SASL.",
    "kafka_ca_file": "Certificate authorities of the brokers; by default those of the machine.",
    "database_url": "Where Postgres is. The role may create schemas; the database exists.",
    "database_connections": "The most connections of one pool. Router and sender have a pool for each lane.",
    "host": "The address to listen on; `0.0.0.0` in a container.",
    "log_level": "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
    "router_url": "The router's address, for previews, explanations and conversations.",
    "sender_url": "The sender's address, for checks of profiles and numbers.",
    "pacer_url": "The pacer's address, for forecasts, queues and explanations.",
    "simulator_url": "The `base_url` of a simulator profile that names none.",
    "body_bytes_max": "A larger body is refused with `413`.",
    "pacer_profiles_a_turn": "The most profiles that one release pass takes.",
    "sender_reply_concurrency": "Replies that one process sends at a time.",
    "sender_open_concurrency": "Open deliveries that one process sends at a time.",
    "sender_connect_seconds": "How long a connection to a gateway may take.",
    "sender_lease_seconds": "How long a claim is valid; afterwards another worker takes over the delivery.",
    "ingress_url": "The address of ingress, for everything but figures.",
    "stats_url": "The address of stats, for figures, alerts and reports.",
    "simulator_home": "The folder of its ledger, registrations and mailbox; one process at a time.",
    "simulator_seed": "Seed of the customers' reactions.",
    "simulator_delivered_share": "Share of sends that are reported delivered.",
    "simulator_failed_share": "Share of sends that are reported failed.",
    "simulator_read_share": "Share of delivered messages that are read.",
    "simulator_reply_share": "Share of delivered messages that are answered; `make up` sets one for its demo.",
    "simulator_registration_wait_seconds": "How long a send or a customer waits for a profile that is not registered.",
    "simulator_callbacks_max": "Callbacks that may wait; above it receipts are dropped and customers get `503`.",
    "simulator_callback_workers": "Concurrent webhook calls.",
    "simulator_callback_back_off_factor": "Multiplies the waits between tries of a webhook call.",
    "simulator_callback_timeout_seconds": "How long one webhook call may take.",
    "api_key": "The key of all its services. Choose your own as soon as others can reach the machine.",
    "clock_speed": "How many times as fast as the machine's clock system time runs.",
    "kafka_port": "Port of the Kafka that `make up` starts.",
    "ready_seconds": "`make up` gives up when the system is not ready by then.",
}
"""What a setting decides, if its class has no docstring under the field."""
ELSEWHERE: Mapping[str, str] = {
    "SPREADER_CLOCK": "System time, the same for every service, as `speed@wall=system`; `make up` sets it.",
    "SPREADER_CACHE": "The folder of what `make setup` fetches; by default `spreader` in the user's cache folder.",
    "SPREADER_TEST_SERVERS": "`containers`: the tests use Kafka and Postgres from Docker instead of local processes.",
}
"""Variables that are in no settings class: the clock, `make setup` and the tests read them."""
INTRODUCTION = """\
# Settings

Written by `make docs` from the settings classes; change those, not this page. All are environment variables. They are
optional unless their row says otherwise, and `make up` gives every service what it needs.
Settings that operators change while the system runs (limits, rest window, gap, strategies) belong to a package and are
changed through the [API](api.md).
"""


def page() -> str:
    sections = [f"## {title}\n\n{_table(_rows(kind))}" for title, kind in SECTIONS.items()]
    elsewhere = _table([(name, "not set", what) for name, what in ELSEWHERE.items()])
    return "\n".join([INTRODUCTION, *sections, f"## Read elsewhere\n\n{elsewhere}"])


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| `{name}` | {default} | {what} |" for name, default, what in rows]
    return "\n".join(["| variable | default | what it decides |", "| --- | --- | --- |", *lines, ""])


def _rows(kind: type[BaseSettings]) -> list[tuple[str, str, str]]:
    """The fields that the class adds to those of its bases."""
    docstrings = _docstrings(kind)
    inherited = {name for base in kind.__bases__ if issubclass(base, BaseSettings) for name in base.model_fields}
    return [
        (f"SPREADER_{name.upper()}", _shown(field.default), docstrings.get(name) or _note(name))
        for name, field in kind.model_fields.items()
        if name not in inherited
    ]


def _note(name: str) -> str:
    note = NOTES.get(name) or ("The port of its HTTP side." if name.endswith("_port") else None)
    if note is None:
        raise LookupError(f"the setting {name} has no description: write a docstring under the field")
    return note


def _shown(default: Any) -> str:
    if default is None:
        return "not set"
    if isinstance(default, bool):
        return f"`{int(default)}`"
    if isinstance(default, Path) and default.is_relative_to(TREE):
        return f"`{default.relative_to(TREE)}` in the tree"
    return f"`{default}`"


def _docstrings(kind: type[BaseSettings]) -> dict[str, str]:
    """The string under each field of the class, on one line."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                found[field.target.id] = " ".join(text.split())
    return found
