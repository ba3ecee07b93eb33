"""Privacy: an erasure knows each column of each service that may have the number of a person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine
from table_rows import explained, fill, nodes

from ingress.consent.erased_consents import TABLE as ERASED_CONSENTS
from ingress.sql import erasures as ingress
from local.testbed.databases import MigratedDatabases
from pacer.sql import erasures as pacer
from router import sql_erasures as router
from sender.ledger import erasures as sender
from spreader.clock import wall_now
from spreader.erasure.eraser import ErasureParameters
from spreader.erasure.postgres import OpenErasure
from spreader.erasure.sql_removals import Removal
from stats.counting import sql_erasures as stats

pytestmark = pytest.mark.postgres

PAGE = (Path(__file__).parent.parent / "docs/privacy.md").read_text()
REMOVALS: Mapping[str, Sequence[Removal]] = {
    "ingress": ingress.REMOVALS,
    "router": router.REMOVALS,
    "pacer": pacer.REMOVALS,
    "sender": sender.REMOVALS,
    "stats": stats.REMOVALS,
}
WAITS: Mapping[str, Sequence[TextClause]] = {
    "ingress": ingress.WAITS,
    "router": (),
    "pacer": pacer.WAITS,
    "sender": sender.WAITS,
    "stats": (),
}
NUMBERS = """
ingress: consent.evidence consent.given consent.recipient delivery.gateway_message_id delivery.recipient outbox.body
  outbox.key
  hidden_id.recipient message.content message.name possible_opt_out.recipient receipt_waiting.recipient
router: consent.recipient consent_removal.recipient conversation.recipient conversation_move.recipient
  routing.suppressed
pacer: consent.recipient consent_removal.recipient contact.recipient delivery.given delivery.recipient habit.recipient
  release.recipient stopped_recipient.recipient
sender: consent.recipient consent_removal.recipient delivery.asked delivery.gateway_message_id delivery.heard
  delivery.recipient number.address number.number unpublished.body
stats: contact.recipient
"""
"""The columns that may have the number. The erasure changes or deletes these rows, or waits until they are gone."""
OWN = "erasure.recipient"
"""The number of an erasure, until the service has finished it."""
TIME: Mapping[str, str] = {
    "ingress.answer.key": "an `Idempotency-Key` that contains the number",
    "ingress.receipt_waiting.gateway_message_id": "gateways' ids of messages",
    "stats.customer_message.gateway_message_id": "gateways' ids of messages",
    "pacer.message.content": "the contents of open messages",
}
"""What only time removes, and how docs/privacy.md calls it."""
OTHERS = """
ingress: lease.holder lease.name link_attempt.method link_attempt.profile_id link_attempt.sealed_code
  webhook_check.profile_id message_count.message_id message_count.status hidden_id.hidden_id hidden_id.profile_id
  hidden_message.gateway_message_id hidden_message.hidden_id
  hidden_message.kind hidden_message.package_id hidden_message.profile_id hidden_message.report hidden_message.text
  possible_opt_out.decision possible_opt_out.evidence possible_opt_out.package_id possible_opt_out.profile_id
  possible_opt_out.text answer.body answer.body_hash answer.claim answer.message_id answer.route
  change.differences change.package_id
  change.who consent.kind consent.package_id consent.source delivery.delivery_id delivery.failure delivery.lane
  delivery.message_id delivery.package_id delivery.profile_id delivery.reason delivery.status erasure.asked_by
  message.kind message.lane message.message_id message.package_id message.resend_of message.sent_by message.tags
  message.traceparent delivery.resent_as outbox.headers outbox.refusal
  outbox.topic package.package_id package.settings package_gone.package_id profile.package_id profile.profile_id
  profile.settings published_cluster.cluster_id receipt_waiting.code receipt_waiting.delivery_id
  receipt_waiting.failure receipt_waiting.package_id receipt_waiting.profile_id receipt_waiting.reason
  receipt_waiting.status removed_message.message_id erasure_report.erasure_id erasure_report.rows
  erasure_report.service
router: consent.kind consent.package_id consent_removal.kind consent_removal.package_id conversation.package_id
  conversation.profile_id conversation.substitute conversation_move.cause conversation_move.package_id
  conversation_move.profile_id cursor.last_profile cursor.package_id reassignment.delivery_id reassignment.profile_id
  reassignment.reason routing.country routing.message_id routing.passed_over routing.profiles routing.reasons
  routing.refused routing.strategy routing.waiting
pacer: cancellation.message_id consent.kind consent.package_id consent_removal.kind consent_removal.package_id
  contact.profile_id delivery.delivery_id delivery.message_id delivery.package_id delivery.profile_id
  delivery.put_off_by delivery.reason delivery.state delivery.timing delivery.tried habit.package_id
  known_event.event known_event.key known_event.topic message.message_id message.options message.package_id
  message.strategy message.traceparent package.package_id package.recipient_rules profile.package_id
  profile.profile_id queue_length.profile_id release.delivery_id release.package_id release.profile_id
  stopped_recipient.package_id stopped_recipient.reason
sender: cancellation.message_id consent.kind consent.package_id consent_removal.kind consent_removal.package_id
  delivery.delivery_id delivery.host delivery.lane delivery.message_id delivery.package_id delivery.profile_id
  delivery.state delivery.status delivery.traceparent delivery.worker number_pace.profile_id unpublished.delivery_id
  unpublished.lane unpublished.traceparent unpublished.type upload.account upload.name upload.sha256 upload.type
  watched.package_id watched.profile_id watched.reported
stats: hour.lane hour.package_id hour.profile_id hour_failure.failure hour_failure.lane hour_failure.package_id
  hour_failure.profile_id minute.lane minute.package_id minute.profile_id minute_failure.failure minute_failure.lane
  minute_failure.package_id minute_failure.profile_id package_hour.lane package_hour.package_id
  package_hour_failure.failure package_hour_failure.lane package_hour_failure.package_id package_minute.lane
  package_minute.package_id package_minute_failure.failure package_minute_failure.lane
  package_minute_failure.package_id alert.acknowledged_by alert.alert_id alert.evidence alert.kind
  alert.package_id alert.profile_id
  alert.severity alert.told change.after change.before change.cause change.profile_id change.what closure.evidence
  closure.kind closure.lane closure.profile_id condition.factor_cause condition.health condition.profile_id
  condition.risks contact.asked_by contact.profile_id customer_message.profile_id delivery.delivery_id
  delivery.fingerprint
  delivery.lane delivery.message_id delivery.package_id delivery.profile_id message.lane message.message_id
  message.package_id message.profile_id refusal.event_id report.profile_id report.quality report.quota report.session
"""
"""The columns that never have the number. A text about a delivery has no number, because it is redacted."""
EVERY = {
    *(f"erasure.{column}" for column in ("erasure_id", "hashes", "rows", "unaware")),
    *(f"position.{column}" for column in ("cluster_id", "topic", "topic_id")),
    "migration.version_num",
}
"""The columns of this kind that every service has."""
SCANNED = {"ingress.outbox", "ingress.receipt_waiting", "sender.unpublished"}
"""Small tables, whose rows are published or deleted soon."""
ROWS = 3_000


COLUMNS = text("""
SELECT table_name || '.' || column_name FROM information_schema.columns
WHERE table_schema = :schema AND data_type IN ('text', 'character varying', 'ARRAY', 'json', 'jsonb', 'bytea')""")


def listed(page: str, service: str) -> set[str]:
    """The columns that the list names for a service."""
    (line,) = re.findall(rf"^{service}: ([^:]*?)(?=^\w+:|\Z)", page, re.MULTILINE | re.DOTALL)
    return {*line.split()}


async def columns(engine: AsyncEngine, service: str) -> set[str]:
    async with engine.connect() as connection:
        return set((await connection.execute(COLUMNS, {"schema": service})).scalars())


@pytest.mark.parametrize("service", REMOVALS)
async def test_each_column_of_text_is_either_erased_or_has_no_number(
    databases: MigratedDatabases, service: str
) -> None:
    numbers, others = listed(NUMBERS, service), listed(OTHERS, service)
    left = {name.removeprefix(f"{service}.") for name in TIME if name.startswith(f"{service}.")}
    sets = (numbers, others, left, {OWN}, EVERY)
    async with databases.of(service) as engine:
        found, known = await columns(engine, service), set[str]().union(*sets)
    assert (sorted(found - known), sorted(known - found)) == ([], [])
    assert sum(map(len, sets)) == len(set[str]().union(*sets))


@pytest.mark.parametrize("service", REMOVALS)
def test_each_column_with_the_number_is_removed_or_waited_for(service: str) -> None:
    removed = {removal.table for removal in REMOVALS[service]} | {ERASED_CONSENTS}
    waited = " ".join(wait.text for wait in WAITS[service])
    for column in listed(NUMBERS, service):
        table = f"{service}.{column.partition('.')[0]}"
        assert table in removed or table in waited, column


@pytest.mark.parametrize(("column", "words"), TIME.items())
def test_the_page_says_what_only_time_removes(column: str, words: str) -> None:
    assert words in PAGE, column


@pytest.mark.parametrize("service", REMOVALS)
async def test_no_removal_reads_a_large_table(databases: MigratedDatabases, service: str) -> None:
    now = wall_now()
    erasure = OpenErasure(
        "ers_1", "5582999448232", now, now, keep_suppression=False, rows={}, is_overdue=False, is_settled=True
    )
    params = asdict(ErasureParameters.of(erasure))
    async with databases.of(service) as engine, engine.connect() as connection:
        for table in {removal.table for removal in REMOVALS[service]} - SCANNED:
            await fill(connection, table, ROWS, {})
            await connection.execute(text(f"ANALYZE {table}"))
        for removal in REMOVALS[service]:
            if removal.table in SCANNED:
                continue
            for statement in (removal.statement, removal.is_left):
                wanted = {name: params[name] for name in statement.compile().params}
                plan = await explained(connection, statement.text, wanted)
                scanned = [node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
                assert removal.table.partition(".")[2] not in scanned, statement.text
