"""Containers: files that hold other files. The files inside show whether a container is an Office file.

Only the directory of a container is read. In a ZIP file, the part that names the types of the other parts is read too.
Both are read only up to a limit, so that no file takes much memory or time.
"""

import re
import struct
import zlib
from collections.abc import Iterator

ZIP_MAGIC, OLE_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP, OLE = "application/zip", "application/x-ole-storage"
_OFFICE = "application/vnd.openxmlformats-officedocument."

ENTRIES_MAX = 20_000
"""The most entries of a directory that are looked at."""
_TYPES_BYTES_MAX = 1 << 20
"""The most bytes that are unpacked from the list of the parts' types."""

_TYPES_PART = b"[Content_Types].xml"
_CONTENT_TYPE = re.compile(r"""ContentType\s*=\s*["']([^"']{1,200})["']""")
_MAIN_PARTS = {
    f"{_OFFICE}wordprocessingml.document.main+xml": f"{_OFFICE}wordprocessingml.document",
    f"{_OFFICE}spreadsheetml.sheet.main+xml": f"{_OFFICE}spreadsheetml.sheet",
    f"{_OFFICE}presentationml.presentation.main+xml": f"{_OFFICE}presentationml.presentation",
    f"{_OFFICE}wordprocessingml.template.main+xml": f"{_OFFICE}wordprocessingml.template",
    f"{_OFFICE}spreadsheetml.template.main+xml": f"{_OFFICE}spreadsheetml.template",
    f"{_OFFICE}presentationml.template.main+xml": f"{_OFFICE}presentationml.template",
    f"{_OFFICE}presentationml.slideshow.main+xml": f"{_OFFICE}presentationml.slideshow",
    "application/vnd.ms-word.document.macroenabled.main+xml": "application/vnd.ms-word.document.macroEnabled.12",
    "application/vnd.ms-excel.sheet.macroenabled.main+xml": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "application/vnd.ms-excel.sheet.binary.macroenabled.main": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    "application/vnd.ms-powerpoint.presentation.macroenabled.main+xml": (
        "application/vnd.ms-powerpoint.presentation.macroEnabled.12"
    ),
    "application/vnd.ms-visio.drawing.main+xml": "application/vnd.ms-visio.drawing",
}
"""The type of an Office file, by the content type of its main part in small letters."""
_MARKERS = {
    b"AndroidManifest.xml": "application/vnd.android.package-archive",
    b"META-INF/MANIFEST.MF": "application/java-archive",
}
"""The types of other ZIP files, by a part that they contain."""
_STREAMS = {
    "WordDocument": "application/msword",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "__properties_version1.0": "application/vnd.ms-outlook",
    "EncryptedPackage": "application/x-encrypted-office",
}
"""The types of old Office files, by the stream that they contain. `EncryptedPackage`: a file with a password."""

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")


def zip_type(data: bytes) -> str:
    """The type of a ZIP file. It is the type of an Office file or of another known container, or else `ZIP`."""
    entries = dict[bytes, tuple[int, int, int]]()
    for name, place, method, size in _zip_entries(data):
        entries.setdefault(name, (place, method, size))
    if _TYPES_PART in entries:
        content_types = _unpacked(data, *entries[_TYPES_PART])
        named = (match[1].strip().lower() for match in _CONTENT_TYPE.finditer(content_types))
        return next((_MAIN_PARTS[name] for name in named if name in _MAIN_PARTS), ZIP)
    if b"mimetype" in entries:  # OpenDocument and EPUB
        named = _unpacked(data, *entries[b"mimetype"]).strip()
        return named if re.fullmatch(r"application/[\w.+-]{1,80}", named) else ZIP
    return next((type_ for marker, type_ in _MARKERS.items() if marker in entries), ZIP)


def ole_type(data: bytes) -> str:
    """The type of a file in the format of old Office files, or `OLE`."""
    try:
        streams = set(_root_entries(data))
    except (struct.error, ValueError):
        return OLE
    return next((type_ for name, type_ in _STREAMS.items() if name in streams), OLE)


def _zip_entries(data: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Name, place, compression method and packed size of the entries in the directory at the end of the file."""
    end = data.rfind(b"PK\x05\x06", -(_END.size + 0xFFFF))
    if end < 0 or end + _END.size > len(data):
        return
    _, _, _, _, count, size, place, _ = _END.unpack_from(data, end)
    place = min(place, max(end - size, 0))
    for _ in range(min(count, ENTRIES_MAX)):
        if place + _ENTRY.size > end:
            return
        fields = _ENTRY.unpack_from(data, place)
        if fields[0] != b"PK\x01\x02":
            return
        name_length, extra_length, comment_length = fields[10:13]
        name = data[place + _ENTRY.size : place + _ENTRY.size + name_length]
        yield name, fields[16], fields[4], fields[8]
        place += _ENTRY.size + name_length + extra_length + comment_length


def _unpacked(data: bytes, place: int, method: int, size: int) -> str:
    """The beginning of a part as text. Empty if it cannot be unpacked."""
    if place + _LOCAL.size > len(data):
        return ""
    name_length, extra_length = _LOCAL.unpack_from(data, place)[9:11]
    begin = place + _LOCAL.size + name_length + extra_length
    packed = data[begin : begin + min(size, _TYPES_BYTES_MAX)]
    if method == zlib.DEFLATED:
        try:
            packed = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _TYPES_BYTES_MAX)
        except zlib.error:
            return ""
    elif method:
        return ""
    is_wide = packed.startswith((b"\xff\xfe", b"\xfe\xff"))
    return packed.decode("utf-16" if is_wide else "utf-8", "replace")


def _root_entries(data: bytes) -> Iterator[str]:
    """The names in the root of a compound file. Embedded files have folders of their own, which are not read. Raises
    `struct.error` or `ValueError` for a damaged file."""
    sector_bytes = 1 << _number(data, 30, "<H")
    if sector_bytes not in (512, 4096):
        raise ValueError("unknown size of sectors")
    entries = list(_directory(data, sector_bytes))
    waiting, seen = [_number(entries[0], 76)] if entries else [], set[int]()
    while waiting:
        number = waiting.pop()
        if number >= len(entries) or number in seen:
            continue
        seen.add(number)
        entry = entries[number]
        length = min(_number(entry, 64, "<H"), 64)
        yield entry[: max(length - 2, 0)].decode("utf-16-le", "replace")
        waiting += _number(entry, 68), _number(entry, 72)


def _directory(data: bytes, sector_bytes: int) -> Iterator[bytes]:
    """The entries of the directory, 128 bytes each. They may be in sectors anywhere in the file."""
    table = _sector_table(data, sector_bytes)
    sector, numbers_per_sector, found = _number(data, 48), sector_bytes // 4, 0
    while found < ENTRIES_MAX:
        begin = (sector + 1) * sector_bytes
        if begin + sector_bytes > len(data):
            return
        for place in range(begin, begin + sector_bytes, 128):
            yield data[place : place + 128]
            found += 1
        index, offset = divmod(sector, numbers_per_sector)
        if index >= len(table):
            return
        sector = _number(data, (table[index] + 1) * sector_bytes + offset * 4)


def _sector_table(data: bytes, sector_bytes: int) -> list[int]:
    """The numbers of the sectors that contain the allocation table. For each sector of the file, this table has the
    number of the next sector. The header has the first 109 of the returned numbers."""
    table = [_number(data, 76 + 4 * place) for place in range(109)]
    more, numbers_per_sector = _number(data, 68), sector_bytes // 4
    while (begin := (more + 1) * sector_bytes) + sector_bytes <= len(data) and len(table) < ENTRIES_MAX:
        numbers = struct.unpack_from(f"<{numbers_per_sector}L", data, begin)
        table += numbers[:-1]
        more = numbers[-1]
    return table


def _number(data: bytes, place: int, form: str = "<L") -> int:
    return struct.unpack_from(form, data, place)[0]
