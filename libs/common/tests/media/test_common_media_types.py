"""Types of files: containers by what is inside, and sounds by their first frame."""

import io
import struct
import zipfile
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from spreader.media.containers import ENTRIES_MAX, ole_type, zip_type
from spreader.media.store import MediaRefused, inspect_file
from spreader.media.types import HEAD_BYTES, detect_type

OFFICE = "application/vnd.openxmlformats-officedocument."
TYPES_PART = "[Content_Types].xml"


def archive(**parts: str) -> bytes:
    """`parts`: the text of each part. In a name, `__` is a dot and `_of_` a slash."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in parts.items():
            written.writestr(name.replace("_of_", "/").replace("__", "."), text)
    return file.getvalue()


def office(main: str, method: int = zipfile.ZIP_DEFLATED, embedded: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        written.writestr("docProps/app.xml", "<x/>")
        written.writestr(
            TYPES_PART,
            f'<Types><Default Extension="xlsx" ContentType="{embedded}"/>'
            f'<Override PartName="/main.xml" ContentType="{main}"/></Types>',
        )
    return file.getvalue()


def workbook() -> bytes:
    file = io.BytesIO()
    Workbook().save(file)
    return file.getvalue()


def compound(*names: str, inside: str | None = None, sector_bytes: int = 512) -> bytes:
    """A file in the format of old Office files. `names`: what its root has. `inside`: what a folder in the root has."""
    shift = 9 if sector_bytes == 512 else 12
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, shift, 6)
    header = header.ljust(44, b"\0") + struct.pack("<LL", 1, 1)
    header = header.ljust(68, b"\0") + struct.pack("<LL", 0xFFFFFFFE, 0) + struct.pack("<109L", 0, *[0xFFFFFFFF] * 108)
    none = 0xFFFFFFFF
    folder = ["ObjectPool"] if inside else []
    entries = [entry("Root Entry", 5, none, 1 if names or folder else none)]
    children = [*names, *folder]
    for number, name in enumerate(children, 1):
        is_folder = name == "ObjectPool"
        right = number + 1 if number < len(children) else none
        entries.append(entry(name, 1 if is_folder else 2, right, len(children) + 1 if is_folder else none))
    if inside:
        entries.append(entry(inside, 2, none, none))
    per_sector = sector_bytes // 128
    sectors = -(-len(entries) // per_sector)
    directory = b"".join(entries).ljust(sectors * sector_bytes, b"\0")
    chain = [0xFFFFFFFD, *range(2, sectors + 1), 0xFFFFFFFE]
    table = struct.pack(f"<{len(chain)}L", *chain).ljust(sector_bytes, b"\xff")
    return header.ljust(sector_bytes, b"\0") + table + directory


def entry(name: str, kind: int, right: int, child: int) -> bytes:
    text = name.encode("utf-16-le")
    start = text.ljust(64, b"\0") + struct.pack("<HBB", len(text) + 2, kind, 1)
    return (start + struct.pack("<LLL", 0xFFFFFFFF, right, child)).ljust(128, b"\0")


def detected(data: bytes) -> str:
    return detect_type(data[:HEAD_BYTES], data)


@pytest.mark.parametrize(
    ("data", "type_"),
    [
        (office(f"{OFFICE}wordprocessingml.document.main+xml"), f"{OFFICE}wordprocessingml.document"),
        (office(f"{OFFICE}spreadsheetml.sheet.main+xml"), f"{OFFICE}spreadsheetml.sheet"),
        (office(f"{OFFICE}presentationml.presentation.main+xml"), f"{OFFICE}presentationml.presentation"),
        (office(f"{OFFICE}spreadsheetml.sheet.main+xml", zipfile.ZIP_STORED), f"{OFFICE}spreadsheetml.sheet"),
        (
            office(f"{OFFICE}presentationml.presentation.main+xml", embedded=f"{OFFICE}spreadsheetml.sheet"),
            f"{OFFICE}presentationml.presentation",
        ),
        (workbook(), f"{OFFICE}spreadsheetml.sheet"),
        (compound("WordDocument", "1Table"), "application/msword"),
        (compound("Workbook"), "application/vnd.ms-excel"),
        (compound("Book"), "application/vnd.ms-excel"),
        (compound("Current User", "PowerPoint Document"), "application/vnd.ms-powerpoint"),
        (compound("1Table", "Data", "a", "b", "c", "WordDocument", inside="Workbook"), "application/msword"),
        (compound("Workbook", sector_bytes=4096), "application/vnd.ms-excel"),
    ],
)
def test_an_office_file_gets_its_type_from_what_is_inside(data: bytes, type_: str) -> None:
    assert detected(data) == type_
    assert inspect_file(data, None, date(2026, 3, 1)).type == type_


@pytest.mark.parametrize(
    ("data", "type_"),
    [
        (archive(a__txt="x"), "application/zip"),
        (archive(word_of_document__xml="<x/>"), "application/zip"),
        (archive(AndroidManifest__xml="x", classes__dex="x"), "application/vnd.android.package-archive"),
        (archive(**{"META-INF_of_MANIFEST__MF": "x"}), "application/java-archive"),
        (archive(mimetype="application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text"),
        (archive(mimetype="application/epub+zip"), "application/epub+zip"),
        (
            office("application/vnd.ms-excel.sheet.macroEnabled.main+xml"),
            "application/vnd.ms-excel.sheet.macroEnabled.12",
        ),
        (office(f"{OFFICE}wordprocessingml.template.main+xml"), f"{OFFICE}wordprocessingml.template"),
        (office("application/vnd.ms-package.xps-fixeddocument+xml"), "application/zip"),
        (workbook()[:-100], "application/zip"),
        (compound("EncryptedPackage"), "application/x-encrypted-office"),
        (compound("__properties_version1.0"), "application/vnd.ms-outlook"),
        (compound("Whatever", inside="WordDocument"), "application/x-ole-storage"),
        (compound("Workbook")[:600], "application/x-ole-storage"),
    ],
)
def test_what_whatsapp_does_not_take_is_refused_by_its_name(data: bytes, type_: str) -> None:
    assert detected(data) == type_
    with pytest.raises(MediaRefused, match=f"^it is {type_.replace('+', '.')}, and WhatsApp takes only"):
        inspect_file(data, "offer.docx", date(2026, 3, 1))


def test_a_list_of_types_that_unpacks_to_too_much_is_read_only_to_a_limit() -> None:
    data = archive(**{TYPES_PART.replace(".", "__"): " " * (64 << 20) + 'ContentType="x"'})
    assert zip_type(data) == "application/zip"


def test_a_directory_with_many_entries_is_read_only_to_a_limit() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for number in range(ENTRIES_MAX + 1):
            written.writestr(str(number), "")
        written.writestr("AndroidManifest.xml", "")
    assert zip_type(file.getvalue()) == "application/zip"


@given(st.binary(max_size=300), st.integers(0, 1_500), st.integers(0, 255))
def test_a_damaged_container_raises_nothing(tail: bytes, place: int, value: int) -> None:
    for whole in (compound("WordDocument", "Data", inside="Workbook"), office(f"{OFFICE}spreadsheetml.sheet.main+xml")):
        changed = bytearray(whole)
        changed[place % len(whole)] = value
        for data in (bytes(changed), whole[: place % len(whole)] + tail):
            assert ole_type(data)
            assert zip_type(data)


@pytest.mark.parametrize("begin", [b"\xff\xfb\x90\x64", b"\xff\xfa\x90\x64", b"\xff\xf3\x84\xc4", b"\xff\xf2\x84\xc4"])
def test_an_mp3_file_without_a_tag_is_audio(begin: bytes) -> None:
    assert detected(begin + bytes(400)) == "audio/mpeg"


@pytest.mark.parametrize(
    "begin", [b"\xff\xfe\x41\x00", b"\xff\xf3\xf0\x00", b"\xff\xf3\x9c\x00", b"\xff\xeb\x90\x00", b"\xff\xe0\x90\x00"]
)
def test_what_only_looks_like_an_mp3_frame_is_no_audio(begin: bytes) -> None:
    assert detected(begin + bytes(400)) != "audio/mpeg"
