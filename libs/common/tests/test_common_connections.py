"""Connections: settings that contradict each other are refused by name, and no error shows a secret."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import ValidationError

from spreader.kafka.access.connection import broker_security, connection_arguments
from spreader.settings import Settings
from spreader.tls import UnusableCertificate

SECRET = "hunter2"
SASL: Mapping[str, Any] = {"kafka_security": "SASL_SSL", "kafka_username": "router", "kafka_password": SECRET}
VERIFIED: Mapping[str, Any] = {"database_security": "verify-full"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_username": "router"}, "SPREADER_KAFKA_USERNAME"),
        ({"kafka_password": SECRET}, "SPREADER_KAFKA_PASSWORD"),
        ({"kafka_password": SECRET, "kafka_security": "SSL"}, "SPREADER_KAFKA_SECURITY is SSL"),
        ({"kafka_mechanism": "SCRAM-SHA-512"}, "SPREADER_KAFKA_MECHANISM"),
        ({"kafka_mechanism": "GSSAPI", **SASL}, "kafka_mechanism"),
        ({**SASL, "kafka_username": None}, "SPREADER_KAFKA_USERNAME is not set"),
        ({**SASL, "kafka_password": None}, "SPREADER_KAFKA_PASSWORD_FILE is not set"),
        ({**SASL, "kafka_password_file": "FILE"}, "SPREADER_KAFKA_PASSWORD_FILE are both set"),
        ({"kafka_ca_file": "FILE"}, "SPREADER_KAFKA_CA_FILE is set"),
        ({**SASL, "kafka_security": "SASL_PLAINTEXT", "kafka_ca_file": "FILE"}, "SPREADER_KAFKA_CA_FILE is set"),
        ({"kafka_security": "SSL", "kafka_certificate_file": "FILE"}, "SPREADER_KAFKA_KEY_FILE is not"),
        ({"kafka_security": "SSL", "kafka_key_file": "FILE"}, "SPREADER_KAFKA_CERTIFICATE_FILE is not"),
        ({"kafka_security": "SSL", "kafka_ca_file": "/nowhere"}, "SPREADER_KAFKA_CA_FILE: /nowhere cannot be read"),
        ({**SASL, "kafka_password": None, "kafka_password_file": "EMPTY"}, "SPREADER_KAFKA_PASSWORD_FILE: .* is empty"),
        ({"database_ca_file": "FILE"}, "SPREADER_DATABASE_CA_FILE is set"),
        ({**VERIFIED, "database_certificate_file": "FILE"}, "SPREADER_DATABASE_KEY_FILE is not"),
        ({"database_url": f"postgresql://u:{SECRET}@db/x", "database_password_file": "FILE"}, "SPREADER_DATABASE_URL"),
        ({"database_url": f"postgresql://u:{SECRET}@db/x?sslmode=require"}, "SPREADER_DATABASE_SECURITY"),
        ({"database_password_file": "/nowhere"}, "SPREADER_DATABASE_PASSWORD_FILE: /nowhere cannot be read"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(
    given: Mapping[str, Any], named: str, file: Path
) -> None:
    (file.parent / "empty").write_text("\n")
    files = {"FILE": file, "EMPTY": file.parent / "empty"}
    values: Mapping[str, Any] = {name: files.get(value, value) for name, value in given.items()}
    with pytest.raises(ValidationError, match=named) as refused:
        Settings(**values)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("mechanism", "kind"),
    [("PLAIN", SASLPlaintext), ("SCRAM-SHA-256", SASLScram256), ("SCRAM-SHA-512", SASLScram512)],
)
@pytest.mark.parametrize("security", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_both_kinds_of_client_show_the_same_name_and_password(
    mechanism: str, kind: type[BaseSecurity], security: str, file: Path
) -> None:
    settings = Settings(
        kafka_security=security, kafka_mechanism=mechanism, kafka_username="router", kafka_password_file=file
    )
    arguments, shown = connection_arguments(settings), broker_security(settings)
    assert shown is not None
    assert type(shown) is kind
    assert (arguments["security_protocol"], arguments["sasl_mechanism"]) == (security, mechanism)
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("router", SECRET)
    assert (getattr(shown, "username", None), getattr(shown, "password", None)) == ("router", SECRET)
    assert arguments.get("ssl_context") is shown.ssl_context
    assert shown.use_ssl == (security == "SASL_SSL")


def test_a_server_must_show_a_certificate_for_its_name() -> None:
    context = connection_arguments(Settings(kafka_security="SSL"))["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("names", "named"),
    [(["ca"], "SPREADER_KAFKA_CA_FILE"), (["certificate", "key"], "SPREADER_KAFKA_CERTIFICATE_FILE")],
)
def test_a_file_without_a_certificate_is_refused_by_name_and_not_shown(
    names: list[str], named: str, file: Path
) -> None:
    files: Mapping[str, Any] = {f"kafka_{name}_file": file for name in names}
    settings = Settings(kafka_security="SSL", **files)
    with pytest.raises(UnusableCertificate, match=named) as refused:
        connection_arguments(settings)
    assert SECRET not in str(refused.value)
