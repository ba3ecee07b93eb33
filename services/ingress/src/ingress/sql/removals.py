"""Statements: the records of removed packages."""

from dataclasses import dataclass

from sqlalchemy import text


@dataclass(frozen=True, slots=True)
class RemovedPackage:
    """A removed package. `version`: the package's last version. The record of its removal has the next version."""

    package_id: str
    version: int


_STILL_REMOVED = "NOT EXISTS (SELECT FROM ingress.package WHERE package.package_id = package_gone.package_id)"
UNANNOUNCED = text(f"""
SELECT package_id, version FROM ingress.package_gone
WHERE announced IS DISTINCT FROM version AND {_STILL_REMOVED}
ORDER BY package_id LIMIT :limit FOR UPDATE SKIP LOCKED""")
"""The packages whose removal is not published yet. While somebody creates a new package with the same id, the row is
locked, and this statement skips it. So a removal is never published after the new package."""
MARK_ANNOUNCED = text("""
UPDATE ingress.package_gone SET announced = version WHERE package_id = ANY (CAST(:package_ids AS text[]))""")
FORGETTABLE = text(f"""
SELECT package_id, version FROM ingress.package_gone
WHERE announced = version AND forgotten IS DISTINCT FROM version AND {_STILL_REMOVED}
  AND removed_at < clock_timestamp() - CAST(:keep AS interval)
  AND NOT EXISTS (SELECT FROM ingress.delivery WHERE delivery.package_id = package_gone.package_id AND stage = 0)
ORDER BY package_id LIMIT :limit FOR UPDATE SKIP LOCKED""")
MARK_FORGOTTEN = text("""
UPDATE ingress.package_gone SET forgotten = version WHERE package_id = ANY (CAST(:package_ids AS text[]))""")
ANNOUNCE_AGAIN = text("UPDATE ingress.package_gone SET announced = NULL WHERE forgotten IS DISTINCT FROM version")
