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
    "kafka_bootstrap_servers": "The addresses of Kafka, separated by commas.",
    "kafka_security": "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.",
    "kafka_username": "The user name for SASL.",
    "kafka_password": "The password for SASL.",
    "kafka_ca_file": "A file with the certificate authorities of the brokers. Not set: those of the machine.",
    "database_url": "The address of Postgres. The database must exist. The role must be allowed to create schemas, "
    "unless [each service has its own role](connections.md).",
    "database_connections": "The most Postgres connections of one pool. Router and sender have a pool for each lane.",
    "host": "The address on which the service listens. In a container use `0.0.0.0`.",
    "log_level": "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
    "router_url": "The address of the router. Ingress asks it for previews, explanations and conversations.",
    "sender_url": "The address of the sender. Ingress asks it to check profiles and numbers.",
    "pacer_url": "The address of the pacer. Ingress asks it for forecasts, queues and explanations.",
    "simulator_url": "The `base_url` of a simulator profile that has no `base_url` of its own.",
    "body_bytes_max": "A larger body is refused with `413`.",
    "pacer_profiles_a_turn": "The most profiles that one release pass takes.",
    "sender_reply_concurrency": "Replies that one process sends at a time.",
    "sender_open_concurrency": "Open deliveries that one process sends at a time.",
    "sender_connect_seconds": "How long a connection to a gateway may take.",
    "sender_lease_seconds": "How long a claim is valid; afterwards another worker takes over the delivery.",
    "ingress_url": "The address of ingress. The console gets packages, profiles and messages from it.",
    "stats_url": "The address of stats. The console gets figures, alerts and reports from it.",
    "simulator_home": "The folder of its ledger, registrations and mailbox. Only one process at a time can use it.",
    "simulator_seed": "The seed from which the customers' reactions are drawn.",
    "simulator_delivered_share": "The share of sends that are reported as delivered.",
    "simulator_failed_share": "The share of sends that are reported as failed.",
    "simulator_read_share": "The share of delivered messages that are read.",
    "simulator_reply_share": "The share of delivered messages that get a reply. `make up` sets one for its demo.",
    "simulator_registration_wait_seconds": "How long a send or a customer's message waits for a profile to register.",
    "simulator_callbacks_max": "The most webhook calls that may wait. Further receipts are lost; customers get `503`.",
    "simulator_callback_workers": "How many webhook calls it makes at the same time.",
    "simulator_callback_back_off_factor": "The waits between tries of a webhook call are multiplied by this number.",
    "simulator_callback_timeout_seconds": "How long one webhook call may take.",
    "api_key": "The API key of the services that it starts. If others can reach the machine, choose a key of your own.",
    "clock_speed": "How many times as fast as the machine's clock the system's time runs.",
    "kafka_port": "The port of the Kafka that `make up` starts.",
    "ready_seconds": "If the system is not ready after this many seconds, `make up` gives up.",
}
"""What a setting decides, if its class has no docstring under the field."""
ELSEWHERE: Mapping[str, str] = {
    "SPREADER_CLOCK": "The system time of every service, as `speed@wall=system`. `make up` sets it.",
    "SPREADER_CACHE": "The folder for what `make setup` fetches. Not set: `spreader` in the user's cache folder.",
    "SPREADER_TEST_SERVERS": "With `containers`, the tests run Kafka and Postgres in Docker, not as local processes.",
}
"""Variables that are in no settings class: the clock, `make setup` and the tests read them."""
INTRODUCTION = """\
# Settings

These are the environment variables of all services. Every variable is optional unless its row says otherwise. `make up`
gives every service what it needs. `make docs` writes this page from the settings classes, so change those instead.
The settings of a package (limits, rest window, gap, strategies) are not here, because operators change them while the
system runs, through the [API](api.md).
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
