"""Linking codes: what a gateway shows to link a phone. The image is a PNG of random squares, not a real QR code."""

import hashlib
import struct
import zlib
from datetime import datetime

QR_SECONDS = 20
"""How long an image is valid. Then the gateway shows another."""
_SIDE, _SCALE = 29, 4
_LETTERS = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
"""The characters of WhatsApp's codes."""


def qr_text(account: str, now: datetime) -> str:
    turn = int(now.timestamp()) // QR_SECONDS
    return f"2@{hashlib.sha256(f'{account}:{turn}'.encode()).hexdigest()}"


def qr_png(text: str) -> bytes:
    """A black and white PNG image. Each text gets an image of its own."""
    squares = hashlib.shake_256(text.encode()).digest(_SIDE * _SIDE)
    rows = [
        b"\0" + b"".join(bytes([255 * (square & 1)]) * _SCALE for square in squares[start : start + _SIDE])
        for start in range(0, len(squares), _SIDE)
        for _ in range(_SCALE)
    ]
    pixels = _SIDE * _SCALE
    header = struct.pack(">IIBBBBB", pixels, pixels, 8, 0, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(b"".join(rows))), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pairing_code(account: str, phone: str, now: datetime) -> str:
    digest = hashlib.sha256(f"{account}:{phone}:{now.isoformat()}".encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:8])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
