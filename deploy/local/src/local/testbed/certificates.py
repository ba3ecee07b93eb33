"""Certificates: an authority for one test run, and certificates that it signs for servers and clients."""

import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from local.process.ports import HOST
from spreader.clock import wall_now

_VALID_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, as PEM files. Only their owner can read the key."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True)
class Authority:
    """Its files are in `folder`. A certificate for HOST is valid for its address only, not for a name."""

    folder: Path
    name: str = "authority"
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: _new_key(), repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        own = self._builder(self.name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def certificate(self, subject: str) -> Certificate:
        """A certificate whose subject is only `CN=subject`. It serves a server on HOST and a client alike."""
        key = _new_key()
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        builder = self._builder(subject, key.public_key(), x509.BasicConstraints(ca=False, path_length=None))
        signed = builder.add_extension(address, critical=False).sign(self._key, hashes.SHA256())
        files = Certificate(self.folder / f"{subject}.pem", self.folder / f"{subject}.key")
        files.certificate_file.write_bytes(signed.public_bytes(Encoding.PEM))
        files.key_file.touch(mode=0o600)
        files.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _builder(
        self, subject: str, key: ec.EllipticCurvePublicKey, constraints: x509.BasicConstraints
    ) -> x509.CertificateBuilder:
        now = wall_now()
        return (
            x509.CertificateBuilder()
            .subject_name(_named(subject))
            .issuer_name(_named(self.name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _VALID_FOR)
            .not_valid_after(now + _VALID_FOR)
            .add_extension(constraints, critical=True)
        )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
