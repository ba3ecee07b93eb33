"""Contacts: the contacts of each profile, the read times of recipients, and a queue in parts by contact class."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE pacer.contact (
    profile_id   text    NOT NULL,
    recipient    text    NOT NULL,
    opened_at    timestamptz,
    last_release timestamptz,
    wrote_at     timestamptz,
    unanswered   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (profile_id, recipient)
) WITH (fillfactor = 80);
CREATE INDEX contact_unanswered ON pacer.contact (profile_id, opened_at DESC) WHERE unanswered;
CREATE INDEX contact_age ON pacer.contact (greatest(last_release, wrote_at));
CREATE TABLE pacer.habit (
    package_id text     NOT NULL,
    recipient  text     NOT NULL,
    hour       smallint NOT NULL,
    readings   int      NOT NULL,
    PRIMARY KEY (package_id, recipient, hour)
) WITH (fillfactor = 80);
ALTER TABLE pacer.release ADD COLUMN recipient text NOT NULL DEFAULT '';
ALTER TABLE pacer.release ADD COLUMN cold boolean NOT NULL DEFAULT false;
CREATE INDEX release_recipient ON pacer.release (package_id, recipient, effective_at DESC);
CREATE INDEX release_cold ON pacer.release (profile_id, effective_at DESC) WHERE cold;
ALTER TABLE pacer.delivery ADD COLUMN asked_at timestamptz;
ALTER TABLE pacer.delivery ADD COLUMN cold boolean NOT NULL DEFAULT false;
ALTER TABLE pacer.delivery ADD COLUMN put_off_by text;
ALTER TABLE pacer.delivery ADD COLUMN timing text;
UPDATE pacer.delivery SET asked_at = not_before;
ALTER TABLE pacer.delivery ALTER COLUMN asked_at SET NOT NULL;
DROP INDEX pacer.delivery_queue;
CREATE INDEX delivery_queue ON pacer.delivery (profile_id, rank, cold, not_before, seq) WHERE state = 'held';
CREATE INDEX delivery_recipient ON pacer.delivery (profile_id, recipient) WHERE state = 'held';
CREATE INDEX delivery_put_off ON pacer.delivery (package_id) WHERE state = 'held' AND put_off_by IS NOT NULL;
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
