"""Connection: the arguments with which a client reaches Kafka and shows who it is."""

from typing import Any

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from spreader.connection_faults import secret_in
from spreader.settings import Settings
from spreader.tls import tls_context

_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def connection_arguments(settings: Settings) -> dict[str, Any]:
    """For a client of aiokafka. Raises UnusableCertificate."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_uses_tls:
        arguments["ssl_context"] = _context(settings)
    if settings.kafka_uses_sasl:
        arguments["sasl_mechanism"] = settings.kafka_mechanism
        arguments["sasl_plain_username"] = settings.kafka_username
        arguments["sasl_plain_password"] = _password(settings)
    return arguments


def broker_security(settings: Settings) -> BaseSecurity | None:
    """For a broker of FastStream. Raises UnusableCertificate."""
    context = _context(settings) if settings.kafka_uses_tls else None
    if settings.kafka_uses_sasl:
        username, password = settings.kafka_username or "", _password(settings)
        return _SASL[settings.kafka_mechanism](username, password, ssl_context=context, use_ssl=context is not None)
    return None if context is None else BaseSecurity(ssl_context=context, use_ssl=True)


def _context(settings: Settings) -> Any:
    files = settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file
    return tls_context(*files, "KAFKA")


def _password(settings: Settings) -> str:
    file = settings.kafka_password_file
    return settings.kafka_password or "" if file is None else secret_in(file)
