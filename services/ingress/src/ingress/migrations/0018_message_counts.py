"""0018: stores counts of each message's deliveries by status, so that a list of messages need not read the deliveries.

Triggers update the counts (docs/decisions/0055). A trigger sees the old status of each delivery. It also runs when an
instance of the previous version changes a delivery. Only one transaction at a time writes counts. Its turn begins when
its statement ends, and lasts until its commit. So two transactions cannot wait for each other's rows. After a
transaction has written counts, it must not lock a delivery or a message.
"""

from alembic import op

revision = "0018"
down_revision = "0017"

SHOWN = "CASE WHEN status = 'held' AND reason = 'waiting for a profile' THEN 'waiting' ELSE status END"
TURN = "PERFORM pg_advisory_xact_lock(hashtextextended('ingress.message_count', 0));"
ADD = """
    IF NOT EXISTS (SELECT FROM added) THEN RETURN NULL; END IF;
    {turn}
    INSERT INTO ingress.message_count AS known (message_id, status, deliveries)
    SELECT message_id, shown, sum(number) FROM ({changes}) AS change
    GROUP BY message_id, shown HAVING sum(number) <> 0 ORDER BY message_id, shown
    ON CONFLICT (message_id, status) DO UPDATE SET deliveries = known.deliveries + excluded.deliveries;
    RETURN NULL;"""
ADDED = f"SELECT message_id, {SHOWN} AS shown, 1 AS number FROM added"  # noqa: S608 - of our own constants
REMOVED = f"SELECT message_id, {SHOWN} AS shown, -1 AS number FROM removed"  # noqa: S608
FUNCTION = "CREATE FUNCTION ingress.{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"

STATEMENTS = (
    """
CREATE TABLE ingress.message_count (
    message_id text   NOT NULL,
    status     text   NOT NULL,
    deliveries bigint NOT NULL,
    PRIMARY KEY (message_id, status)
) WITH (fillfactor = 70)""",
    FUNCTION.format(name="count_added", body=ADD.format(turn=TURN, changes=ADDED)),
    FUNCTION.format(name="count_changed", body=ADD.format(turn=TURN, changes=f"{ADDED} UNION ALL {REMOVED}")),
    FUNCTION.format(
        name="forget_counts",
        body=f"""
    IF NOT EXISTS (SELECT FROM removed) THEN RETURN NULL; END IF;
    {TURN}
    DELETE FROM ingress.message_count USING removed WHERE message_count.message_id = removed.message_id;
    RETURN NULL;""",  # noqa: S608 - of our own constants
    ),
    """
CREATE TRIGGER count_added AFTER INSERT ON ingress.delivery
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ingress.count_added()""",
    """
CREATE TRIGGER count_changed AFTER UPDATE ON ingress.delivery
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ingress.count_changed()""",
    """
CREATE TRIGGER forget_counts AFTER DELETE ON ingress.message
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION ingress.forget_counts()""",
    "ALTER TABLE ingress.message ADD COLUMN counted boolean NOT NULL DEFAULT false",
    # A delivery may have been stored before the trigger existed, although its message is stored later. So messages of
    # the first day are not marked as counted.
    """
DO $$ DECLARE ready timestamptz := CASE WHEN EXISTS (SELECT FROM ingress.delivery) THEN now() + interval '1 day'
                                        ELSE '-infinity' END;
BEGIN
    EXECUTE format('ALTER TABLE ingress.message ALTER COLUMN counted SET DEFAULT (now() > %L::timestamptz)', ready);
END $$""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
