"""Statements: what is published again to a new Kafka cluster."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.contract.events import ConsentKind
from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class ConsentPlace:
    """The key of a consent entry. The fields have the order of the table's primary key."""

    package_id: str
    kind: ConsentKind
    recipient: str


IS_PUBLISHED = text("SELECT EXISTS (SELECT FROM ingress.published_cluster WHERE cluster_id = :cluster_id)")
FORGET_CLUSTERS = text("DELETE FROM ingress.published_cluster WHERE cluster_id <> :cluster_id")
SAVE_CLUSTER = text("INSERT INTO ingress.published_cluster (cluster_id) VALUES (:cluster_id) ON CONFLICT DO NOTHING")
CONSENTS_AGAIN = text(f"""
UPDATE ingress.consent SET announced = false
WHERE (package_id, kind, recipient) IN (
    SELECT {columns(ConsentPlace)} FROM ingress.consent
    WHERE (package_id, kind, recipient) > (:package_id, :kind, :recipient)
    ORDER BY {columns(ConsentPlace)} LIMIT :limit)
RETURNING {columns(ConsentPlace)}""")
