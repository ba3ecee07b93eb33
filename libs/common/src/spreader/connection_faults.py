"""Connection faults: settings of Kafka and Postgres that contradict each other, or of which a part is missing.

With such settings a service would connect in another way than its operator means, for example without TLS. So it does
not start.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Values = Mapping[str, Any]
"""The values of the settings, by the names of their fields."""

_OF_TLS = ("ca_file", "certificate_file", "key_file")
_OF_SASL = ("kafka_username", "kafka_password", "kafka_password_file")
_FILES = tuple(f"{kind}_{name}" for kind in ("kafka", "database") for name in ("password_file", *_OF_TLS))


def connection_faults(values: Values) -> Iterator[str]:
    """What is wrong: one sentence for each fault, which names the settings and shows no secret."""
    yield from _faults_of_tls("kafka", values, values["kafka_security"].endswith("SSL"), "SASL_SSL or SSL")
    yield from _faults_of_tls("database", values, values["database_security"] == "verify-full", "verify-full")
    yield from _faults_of_sasl(values)
    yield from _faults_of_address(values)
    yield from _faults_of_files(values)


def secret_in(file: Path) -> str:
    """The secret in a file, without the end of its line. Raises OSError and UnicodeDecodeError."""
    return file.read_text().rstrip("\r\n")


def _faults_of_tls(kind: str, values: Values, uses_tls: bool, with_tls: str) -> Iterator[str]:
    security = f"{kind}_security"
    given = [name for each in _OF_TLS if values[name := f"{kind}_{each}"] is not None]
    if given and not uses_tls:
        yield (
            f"{_variable(given[0])} is set, but {_variable(security)} is {values[security]}, which checks no "
            f"certificate: set {_variable(security)} to {with_tls}."
        )
    certificate, key = f"{kind}_certificate_file", f"{kind}_key_file"
    if (values[certificate] is None) != (values[key] is None):
        present, missing = (certificate, key) if values[key] is None else (key, certificate)
        yield f"{_variable(present)} is set, but {_variable(missing)} is not: set both or none."


def _faults_of_sasl(values: Values) -> Iterator[str]:
    security = values["kafka_security"]
    given = [name for name in _OF_SASL if values[name] is not None]
    given += ["kafka_mechanism"] if values["kafka_mechanism"] != "PLAIN" else []
    if not security.startswith("SASL"):
        if given:
            yield (
                f"{_variable(given[0])} is set, but SPREADER_KAFKA_SECURITY is {security}, which uses no password: set "
                "SPREADER_KAFKA_SECURITY to SASL_SSL."
            )
        return
    if not values["kafka_username"]:
        yield f"SPREADER_KAFKA_SECURITY is {security}, but SPREADER_KAFKA_USERNAME is not set."
    if values["kafka_password"] is None and values["kafka_password_file"] is None:
        yield f"SPREADER_KAFKA_SECURITY is {security}, but SPREADER_KAFKA_PASSWORD_FILE is not set."
    if values["kafka_password"] is not None and values["kafka_password_file"] is not None:
        yield "SPREADER_KAFKA_PASSWORD and SPREADER_KAFKA_PASSWORD_FILE are both set: unset one of them."


def _faults_of_address(values: Values) -> Iterator[str]:
    try:
        address = urlsplit(values["database_url"])
    except ValueError:
        return  # the error of the first connection says what is wrong with it
    if address.password is not None and values["database_password_file"] is not None:
        yield "SPREADER_DATABASE_URL has a password, but SPREADER_DATABASE_PASSWORD_FILE is set: remove one of them."
    if "sslmode" in parse_qs(address.query):
        yield "SPREADER_DATABASE_URL contains sslmode: remove it, and set SPREADER_DATABASE_SECURITY instead."


def _faults_of_files(values: Values) -> Iterator[str]:
    for name in _FILES:
        if (file := values[name]) is None:
            continue
        try:
            is_empty = not file.read_bytes().strip()
        except OSError as error:
            yield f"{_variable(name)}: {file} cannot be read ({type(error).__name__})."
        else:
            if is_empty:
                yield f"{_variable(name)}: {file} is empty."


def _variable(name: str) -> str:
    return f"SPREADER_{name.upper()}"
