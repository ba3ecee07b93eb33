"""Postgres: the statements of the history of changes, and of a package's list of messages."""

from sqlalchemy import text

CHANGE_INSERT = text("""
INSERT INTO ingress.change (package_id, number, at, who, undoes, differences)
VALUES (:package_id, :number, :at, :who, :undoes, CAST(:differences AS jsonb))""")

_CHANGE_COLUMNS = """
number, at, who, undoes, differences,
(SELECT max(later.number) FROM ingress.change AS later
 WHERE later.package_id = change.package_id AND later.undoes = change.number) AS undone_by"""
CHANGE = text("SELECT " + _CHANGE_COLUMNS + " FROM ingress.change WHERE package_id = :package_id AND number = :number")
CHANGES = text(
    "SELECT "
    + _CHANGE_COLUMNS
    + """
FROM ingress.change
WHERE package_id = :package_id AND (CAST(:before AS bigint) IS NULL OR number < :before)
ORDER BY number DESC LIMIT :limit"""
)

MESSAGES = text("""
SELECT message_id, package_id, lane, kind, recipients, accepted_at, cancelled_at,
       coalesce((SELECT jsonb_object_agg(status, deliveries)
                 FROM (SELECT status, count(*) AS deliveries FROM ingress.delivery
                       WHERE delivery.message_id = message.message_id GROUP BY status) AS counted), '{}') AS counted
FROM ingress.message
WHERE package_id = :package_id AND (CAST(:lane AS text) IS NULL OR lane = :lane)
  AND (CAST(:before_at AS timestamptz) IS NULL OR (accepted_at, message_id) < (:before_at, :before_id))
ORDER BY accepted_at DESC, message_id DESC LIMIT :limit""")
