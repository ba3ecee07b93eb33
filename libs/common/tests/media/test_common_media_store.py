"""Media store: types are detected from the bytes, files are stored once, and refusals have clear reasons."""

import asyncio
import io
import os
import shutil
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from PIL import Image

from spreader.contract.content import Media as Place
from spreader.media.expiry import MediaExpiry
from spreader.media.safe_fetch import AddressFilter, MediaDownloader, MediaUnavailable
from spreader.media.store import (
    LARGE_BYTES,
    WAITING_MAX,
    MediaCache,
    MediaInfo,
    MediaRefused,
    MediaStore,
    inspect_file,
)
from spreader.media.types import MEGABYTE, content_kinds, detect_type, objection

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
OPUS = b"OggS\x00\x02" + b"\x00" * 22 + b"OpusHead\x01\x01" + b"\x00" * 60
MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + b"\x00" * 100


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A small PNG whose header gives this size."""
    whole = picture()
    header = whole[12:16] + width.to_bytes(4) + height.to_bytes(4) + whole[24:29]
    return whole[:12] + header + zlib.crc32(header).to_bytes(4) + whole[33:]


class Days:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


async def started(folder: Path, now: Days | None = None) -> MediaStore:
    store = MediaStore(f"file:{folder}", now or Days())
    await store.start()
    return store


@pytest.mark.parametrize(
    ("data", "kind", "type_"),
    [
        (picture("PNG"), "image", "image/png"),
        (picture("JPEG"), "image", "image/jpeg"),
        (OPUS, "voice", "audio/ogg"),
        (b"#!AMR\n" + b"\x00" * 50, "voice", "audio/amr"),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" * 40, "voice", "audio/mpeg"),
        (MP4, "video", "video/mp4"),
        (MP4.replace(b"ftypisom", b"ftyp3gp4"), "video", "video/3gpp"),
        (MP4.replace(b"ftypisom", b"ftypM4A "), "voice", "audio/mp4"),
        (PDF, "document", "application/pdf"),
        ("name,phone\nÁ,1\n".encode(), "document", "text/plain"),
    ],
)
def test_the_type_of_a_file_is_detected_from_its_bytes(data: bytes, kind: str, type_: str) -> None:
    assert detect_type(data[:4096], data) == type_
    assert content_kinds(type_, len(data)) == (kind,)


@pytest.mark.parametrize(
    "data", [b"\x7fELF\x02\x01\x01" + b"\x00" * 60, b"GIF89a" + b"\x00" * 60, b"", b"\x00\x01\x02"]
)
def test_a_type_that_whatsapp_does_not_accept_is_refused_with_the_allowed_ones(data: bytes) -> None:
    with pytest.raises(MediaRefused, match="takes only application/msword"):
        inspect_file(data, "holiday.png", NOW.date())


def test_a_file_over_the_size_limit_of_its_kind_is_refused_with_the_limit() -> None:
    assert objection("image", "image/png", 5 * MEGABYTE) is None
    assert "at most 5242880" in str(objection("image", "image/png", 5 * MEGABYTE + 1))
    assert "takes as voice only" in str(objection("voice", "image/png", 10))


def test_a_truncated_image_and_a_decompression_bomb_are_refused() -> None:
    whole = picture(size=(400, 400))
    assert inspect_file(whole, None, NOW.date()).type == "image/png"
    with pytest.raises(MediaRefused, match="cannot be read"):
        inspect_file(whole[: len(whole) // 2], None, NOW.date())
    with pytest.raises(MediaRefused, match="pixels"):
        inspect_file(picture(size=(10_000, 6_000), mode="1"), None, NOW.date())


def test_an_image_is_refused_by_the_pixels_in_its_header_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red before: an image of 48 million pixels took 192 MB. A file of 190 KB is enough for that."""
    allowed, too_large = picture(size=(5_000, 5_000), mode="1"), claiming(5_000, 5_001)
    assert inspect_file(allowed, None, NOW.date()).type == "image/png"

    def must_not_run(*_: object) -> None:
        raise AssertionError("the image was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", must_not_run)
    for image in (too_large, claiming(8_000, 6_000), claiming(2**31 - 1, 2**31 - 1)):
        with pytest.raises(MediaRefused, match="at most 25,000,000"):
            inspect_file(image, None, NOW.date())


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_truncated_jpeg_is_refused(options: dict[str, bool]) -> None:
    file = io.BytesIO()
    Image.effect_noise((400, 400), 50).save(file, "JPEG", **options)
    whole = file.getvalue()
    assert inspect_file(whole, None, NOW.date()).type == "image/jpeg"
    with pytest.raises(MediaRefused, match="cannot be read"):
        inspect_file(whole[: len(whole) // 2], None, NOW.date())


async def test_files_are_inspected_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red before: six images were decoded at once, and took 1 GB."""
    store, meeting, met = await started(tmp_path), Barrier(2), list[bool]()
    files = [PDF + b" " * size for size in (0, LARGE_BYTES, LARGE_BYTES + 1, 1)]

    def inspect(*arguments: Any) -> MediaInfo:
        with suppress(BrokenBarrierError):
            meeting.wait(0.05)
            met.append(True)  # another inspection ran at the same time
        return inspect_file(*arguments)

    monkeypatch.setattr("spreader.media.store.inspect_file", inspect)
    await asyncio.gather(*(store.put(file, None) for file in files))
    assert met == []


async def test_a_file_is_refused_while_too_many_others_wait(tmp_path: Path) -> None:
    store, arrived = await started(tmp_path), asyncio.Event()

    async def read() -> bytes:
        await arrived.wait()
        return PDF

    waiting = [asyncio.create_task(store.put_from(read, len(PDF), None)) for _ in range(WAITING_MAX + 1)]
    await asyncio.sleep(0)
    with pytest.raises(MediaUnavailable, match="other files wait"):
        await store.put(PDF, None)
    large = asyncio.create_task(store.put(PDF + b" " * LARGE_BYTES, None))  # is not one of these small files
    arrived.set()
    assert {info.media_id for info in await asyncio.gather(*waiting)} == {(await store.put(PDF, None)).media_id}
    assert (await large).size_bytes > LARGE_BYTES


async def test_a_small_file_waits_for_at_most_one_large_file(tmp_path: Path) -> None:
    store, arrived, order = await started(tmp_path), asyncio.Event(), list[int]()

    async def put(size_bytes: int) -> None:
        async def read() -> bytes:
            await arrived.wait()
            order.append(size_bytes)
            return PDF

        await store.put_from(read, size_bytes, None)

    large, small = LARGE_BYTES + 1, len(PDF)
    waiting = [asyncio.create_task(put(size_bytes)) for size_bytes in (large, large, large, small)]
    await asyncio.sleep(0)
    arrived.set()
    await asyncio.gather(*waiting)
    assert order == [large, small, large, large]


@pytest.mark.parametrize("media_id", ["../x", "", ".", "a/b", "x" * 129, "med_0.json", "é", "a\0", "a\n"])
async def test_a_text_that_is_no_id_of_a_file_is_not_looked_up(tmp_path: Path, media_id: str) -> None:
    store = await started(tmp_path / "store")
    (tmp_path / "x").write_text("{}")
    (tmp_path / "x.json").write_text("{}")
    assert await store.info(media_id) is None
    with pytest.raises(FileNotFoundError):
        await store.read(media_id)


async def test_the_same_file_is_stored_once_and_returned_unchanged(tmp_path: Path) -> None:
    store = await started(tmp_path)
    one, again = await store.put(PDF, "offer.pdf"), await store.put(PDF, "offer.pdf")
    assert one == again
    assert one.kinds == ("document",)
    assert len(os.listdir(tmp_path)) == 4, "the file, its description, the mark of readiness, and the index"
    media = MediaCache(store, MediaDownloader(AddressFilter()))
    file = await media.file(Place(media_id=one.media_id), "document")
    assert (file.data, file.type, file.filename) == (PDF, "application/pdf", "offer.pdf")
    assert (await media.file(Place(media_id=one.media_id, filename="mine.pdf"), "document")).filename == "mine.pdf"


async def test_a_missing_or_unsuitable_file_is_refused(tmp_path: Path) -> None:
    store = await started(tmp_path)
    media = MediaCache(store, MediaDownloader(AddressFilter()))
    with pytest.raises(MediaRefused, match="no file med_none"):
        await media.file(Place(media_id="med_none"), "image")
    kept = await store.put(PDF, None)
    with pytest.raises(MediaRefused, match="takes as image only"):
        await media.file(Place(media_id=kept.media_id), "image")


@pytest.mark.parametrize("media_id", ["", "../secret", "a/b", "\t\xa5g", "a\0", "\ud83d", "med_" + "f" * 5_000])
async def test_there_is_no_file_with_an_id_that_cannot_be_a_path(tmp_path: Path, media_id: str) -> None:
    for location in ("memory://", f"file:{tmp_path}"):
        store = MediaStore(location, Days())
        await store.start()
        assert await store.info(media_id) is None


async def test_the_cache_keeps_the_last_used_files_within_its_limit(tmp_path: Path) -> None:
    store = await started(tmp_path)
    media = MediaCache(store, MediaDownloader(AddressFilter()), cache_bytes_max=len(PDF) + 10)
    first, second = await store.put(PDF, None), await store.put(PDF + b" ", None)
    for kept in (first, second):
        await media.file(Place(media_id=kept.media_id), "document")
    (tmp_path / second.media_id).unlink()
    assert (await media.file(Place(media_id=second.media_id), "document")).data == PDF + b" "
    (tmp_path / first.media_id).unlink()
    with pytest.raises(MediaRefused, match="any more"):
        await media.file(Place(media_id=first.media_id), "document")


MONTH = timedelta(days=30)


async def expire(expiry: MediaExpiry, files_max: int = 10) -> int:
    """How many files are deleted in all."""
    deleted, has_more = 0, True
    while has_more:
        count, has_more = await expiry.delete_unused(MONTH, files_max)
        deleted += count
    return deleted


async def test_files_that_no_message_used_for_long_are_deleted(tmp_path: Path) -> None:
    now = Days()
    store = await started(tmp_path, now)
    old, used = await store.put(PDF, None), await store.put(PDF + b" ", None)
    now.now += timedelta(days=31)
    await store.mark_used(used)
    assert await expire(MediaExpiry(store)) == 1
    assert await store.info(old.media_id) is None
    assert (await store.read(used.media_id)) == PDF + b" "


def file_names(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("med_*")]


class CountedStore(MediaStore):
    """Counts the descriptions that are read."""

    reads = 0

    async def info(self, media_id: str) -> MediaInfo | None:
        self.reads += 1
        return await super().info(media_id)


async def test_old_files_are_found_without_reading_the_description_of_every_file(tmp_path: Path) -> None:
    """Red before: each run read the descriptions of all files."""
    now = Days()
    store = CountedStore(f"file:{tmp_path}", now)
    await store.start()
    await store.put(PDF, None)
    now.now += timedelta(days=20)
    young = [await store.put(PDF + b" " * number, None) for number in range(1, 13)]
    assert await expire(MediaExpiry(store)) == 0
    now.now += timedelta(days=11)
    store.reads = 0
    expiry = MediaExpiry(store)
    assert await expire(expiry) == 1
    assert store.reads == 1
    assert await expire(expiry) == 0
    assert store.reads == 1
    now.now += timedelta(days=20)
    assert await expire(expiry, files_max=5) == len(young)
    assert file_names(tmp_path) == []


async def test_a_file_that_the_previous_version_stored_gets_its_entry(tmp_path: Path) -> None:
    """The previous version writes no entries. The index is completed at first, and every 30 days."""
    now = Days()
    store = await started(tmp_path, now)
    await store.put(PDF, None)
    shutil.rmtree(tmp_path / "used")
    now.now += timedelta(days=31)
    assert await expire(MediaExpiry(store)) == 1
    await store.put(PDF, None)
    shutil.rmtree(tmp_path / "used")
    now.now += timedelta(days=31)
    assert await expire(MediaExpiry(store), files_max=1) == 1


async def test_a_file_whose_use_the_previous_version_marked_stays(tmp_path: Path) -> None:
    now = Days()
    store = await started(tmp_path, now)
    kept = await store.put(PDF, None)
    await store.use_index.mark_complete(now().date())
    now.now += timedelta(days=20)
    await store.mark_used(kept)
    await store.use_index.remove(kept.media_id, now().date())
    await store.use_index.add(kept.media_id, NOW.date())
    now.now += timedelta(days=15)
    await store.use_index.mark_complete(now().date())
    assert await expire(MediaExpiry(store)) == 0
    assert await store.use_index.days() == [NOW.date() + timedelta(days=20)]
    now.now += timedelta(days=16)
    assert await expire(MediaExpiry(store)) == 1


async def test_a_location_that_is_not_writable_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Exception, match=r"(?i)file|directory|exist"):
        await MediaStore(f"file:{tmp_path}/file", Days()).start()
