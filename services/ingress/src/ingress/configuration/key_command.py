"""Key command: shows which secret key sealed which credentials, and which keys are no longer needed."""

import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.resealer import FIRST_PLACE, PROFILES_AT_ONCE, sealed_page
from ingress.core.key_report import KeyReport, Place, SealedCopy
from ingress.settings import IngressSettings
from ingress.sql import sealed_credentials as sql
from ingress.sql.sealed_credentials import WaitingRecord
from spreader.contract.events import PackageConfigured
from spreader.kafka.envelope import UndecodableRecord, decode, read_headers
from spreader.kafka.topic_state import read_topic
from spreader.runtime.postgres import create_engine
from spreader.runtime.rows import fetched
from spreader.vault import Vault


async def report_keys(settings: IngressSettings) -> bool:
    """Prints the report. Returns whether only the newest key is needed. Raises SystemExit if there is no key."""
    if not settings.secret_keys:
        raise SystemExit("SPREADER_SECRET_KEYS is not set. Run this command with the same keys as ingress.")
    vault = Vault(settings.secret_keys)
    report = KeyReport(vault.key_ids)
    engine = create_engine(settings, "ingress-keys")
    try:
        async for copies in _stored(engine, vault):
            report.add(copies)
        async with engine.connect() as connection:
            waiting = await connection.execute(sql.WAITING_RECORDS, {"topic": PackageConfigured.topic})
            for record in fetched(WaitingRecord, waiting):
                report.add(_copies(vault, "waiting", record.headers, record.body.encode()))
    finally:
        await engine.dispose()
    async for copies in _in_topic(settings, vault):
        report.add(copies)
    sys.stdout.write("\n".join([*report.lines(), ""]))
    return report.is_finished


async def _stored(engine: AsyncEngine, vault: Vault) -> AsyncGenerator[Sequence[SealedCopy]]:
    place = FIRST_PLACE
    while entries := await sealed_page(engine, place, PROFILES_AT_ONCE):
        yield [SealedCopy("stored", entry.profile_id, vault.key_of(entry.sealed)) for entry in entries]
        place = (entries[-1].package_id, entries[-1].profile_id)


async def _in_topic(settings: IngressSettings, vault: Vault) -> AsyncGenerator[Sequence[SealedCopy]]:
    """The sealed copies in all records of the configuration topic. Superseded records count too, because Kafka keeps
    them until it compacts the topic."""
    newest: dict[bytes, Sequence[SealedCopy]] = {}
    async for records in read_topic(settings, PackageConfigured.topic):
        for record in records:
            key = record.key or b""
            try:
                copies = _copies(vault, "published", read_headers(record.headers), record.value)
            except (UndecodableRecord, ValidationError):
                continue  # services skip this record, and go on with the one before
            superseded, newest[key] = newest.get(key, ()), copies
            yield [replace(each, place="superseded") for each in superseded]
    for copies in newest.values():
        yield copies


def _copies(vault: Vault, place: Place, headers: Mapping[str, str], body: bytes | None) -> Sequence[SealedCopy]:
    """The sealed copies in a record. A tombstone has no copies. Raises `UndecodableRecord` or `ValidationError`."""
    event = None if body is None else decode(PackageConfigured.topic, headers, body)
    profiles = event.package.profiles if isinstance(event, PackageConfigured) else ()
    return [
        SealedCopy(place, profile.profile_id, vault.key_of(profile.gateway.sealed))
        for profile in profiles
        if profile.gateway.sealed is not None
    ]
