"""TLS: the context of connections whose server must show a certificate for its name, from a known authority."""

import ssl
from functools import cache
from pathlib import Path


class UnusableCertificate(ValueError):
    """A file with a certificate or a key cannot be used. The error names the setting and the file, never a key."""


@cache
def tls_context(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None, server: str
) -> ssl.SSLContext:
    """The context for one kind of server. All its clients share it, because reading the authorities of the machine
    takes 20 ms.

    `ca_file` contains the authorities; None means those of the machine. The other two files are shown to the server.
    `server` is what the names of the settings call it, such as `KAFKA`. Raises UnusableCertificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise UnusableCertificate(
            f"SPREADER_{server}_CA_FILE: {ca_file} has no certificate authority ({error})"
        ) from None
    if certificate_file is not None:
        try:
            context.load_cert_chain(certificate_file, key_file, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise UnusableCertificate(
                f"SPREADER_{server}_CERTIFICATE_FILE and SPREADER_{server}_KEY_FILE: {certificate_file} and {key_file} "
                f"are no certificate with its key, or the key is encrypted ({error})"
            ) from None
    return context


def _no_password() -> str:
    """Takes the place of OpenSSL's question at the terminal."""
    return ""
