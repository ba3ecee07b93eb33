"""Leaks: no setting, row or request shows a secret when it is printed, and no error of a connection does."""

import ast
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docs.settings import SECTIONS
from pydantic_settings import BaseSettings

from spreader.http.service_client import HttpServiceClient
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.vault import Undecryptable, Vault, new_key

ROOT = Path(__file__).parents[1]
SECRET_NAME = re.compile(
    r"(^|_)(tokens?|passwords?|secrets?|credentials|sealed|database_url|secret_keys|api_key|key|headers)$"
)
"""Fields that may contain a secret."""
DECLARED = re.compile(r"^    \w*(token|password|secret|credentials|sealed|database_url|key|headers)s?: ", re.MULTILINE)
"""A quick look, because reading the classes of all files takes seconds."""
NOT_SECRET = {
    "libs/common/src/spreader/contract/answers.py": "the key of a person: the number in its one spelling",
    "libs/common/src/spreader/kafka/envelope.py": "the key and the headers of a Kafka record",
    "libs/common/src/spreader/http/problems.py": "the headers of a response",
    "services/console/src/console/core/api_models.py": "what the API shows of credentials: whether they are set",
    "services/console/src/console/core/phones/gateway_kinds.py": "which secrets a gateway needs",
    "services/ingress/src/ingress/configuration/bodies.py": "what the API shows of credentials: whether they are set",
    "services/ingress/src/ingress/configuration/resealer.py": "which of the keys it is, as a word",
    "services/ingress/src/ingress/core/key_report.py": "the id of a key",
    "services/ingress/src/ingress/http/responses.py": "the headers of a response",
    "services/ingress/src/ingress/sql/consent.py": "the key of a person: the number in its one spelling",
    "services/ingress/src/ingress/sql/outbox.py": "the key and the headers of a Kafka record",
    "services/ingress/src/ingress/sql/sealed_credentials.py": "the headers of a Kafka record",
    "services/ingress/src/ingress/sql/status.py": "the key of a person: the number in its one spelling",
    "services/pacer/src/pacer/sql/known_events.py": "the key of a Kafka record",
    "services/simulator/src/simulator/dialects/linked_forms.py": "the key of a quoted message",
    "services/simulator/src/simulator/endpoints/evolution_messages.py": "the key of a message, by which it is found",
    "services/simulator/src/simulator/webhook_caller.py": "the account of the simulator",
}
"""Modules whose fields with such a name hold no secret, unless they are hidden too. Each with what the field holds."""


def fields_of(source: str) -> Iterator[tuple[str, str]]:
    """The fields of all classes, as `Class.field`, each with the text of its declaration."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    yield f"{node.name}.{member.target.id}", ast.unparse(member)


def shown_secrets(source: str) -> list[str]:
    """The fields that may hold a secret and that a printed object would show."""
    if not DECLARED.search(source):
        return []
    return [
        name
        for name, declaration in fields_of(source)
        if SECRET_NAME.search(name.split(".")[1]) and "repr=False" not in declaration
    ]


def test_no_printed_object_shows_a_secret() -> None:
    sources = [source for folder in ("libs", "services", "deploy") for source in (ROOT / folder).rglob("src/**/*.py")]
    assert len(sources) > 300
    found = {
        str(source.relative_to(ROOT)): shown
        for source in sources
        if "testing" not in str(source) and (shown := shown_secrets(source.read_text()))
    }
    assert {path: shown for path, shown in found.items() if path not in NOT_SECRET} == {}, "add repr=False"
    assert sorted(set(NOT_SECRET) - set(found)) == [], "these need no exception any more"


def test_a_field_that_would_show_a_secret_is_found() -> None:
    source = "class A:\n    token: str\n    api_key: str = field(repr=False)\n    monkey: str\n    headers: dict = {}"
    assert shown_secrets(source) == ["A.token", "A.headers"]


@pytest.mark.parametrize("name", SECTIONS)
def test_printed_settings_show_no_secret(name: str) -> None:
    secret = "hunter2"
    kind: type[BaseSettings] = SECTIONS[name]
    given: dict[str, Any] = {
        each: f"postgresql://u:{secret}@db/x" if each == "database_url" else secret
        for each in kind.model_fields
        if SECRET_NAME.search(each)
    }
    assert given
    if "kafka_password" in given:
        given |= {"kafka_security": "SASL_SSL", "kafka_username": "u"}
    settings = kind(**given)
    assert secret in str(settings.model_dump())
    assert secret not in f"{settings!r} {settings}"


async def test_an_error_of_postgres_shows_no_password() -> None:
    address = "postgresql://spreader:hunter2@127.0.0.1:1/spreader"
    engine = create_engine(Settings(database_url=address), "test")
    with pytest.raises(OSError, match="127") as refused:
        async with engine.connect():
            pass
    assert "hunter2" not in f"{traceback.format_exception(refused.value)} {engine!r} {engine.url}"
    with pytest.raises(Exception, match="SQLAlchemy URL") as unreadable:
        create_engine(Settings(database_url="hunter2 is no address"), "test")
    assert "hunter2" not in str(unreadable.value)


def test_an_error_of_the_vault_shows_neither_key_nor_text() -> None:
    key, sealed = new_key(), Vault(new_key()).seal("prf_1", {"api_key": "hunter2"})
    with pytest.raises(Undecryptable) as unknown:
        Vault(key).open("prf_1", sealed)
    with pytest.raises(ValueError, match="invalid key") as invalid:
        Vault(f"{key},hunter2")
    shown = f"{unknown.value!r} {invalid.value!r} {Vault(key)!r} {HttpServiceClient('pacer', 'http://p', 'hunter2')!r}"
    assert not [secret for secret in (key, sealed, "hunter2") if secret in shown]
