"""0002: suppressions and opt-ins."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0002"
down_revision = "0001"

SQL = """
CREATE TABLE ingress.consent (
    package_id text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('suppression', 'opt_in')),
    recipient  text        NOT NULL,
    listed     boolean     NOT NULL,
    since      timestamptz NOT NULL,
    source     text        NOT NULL,
    evidence   text,
    announced  boolean     NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (package_id, kind, recipient)
);
CREATE INDEX consent_news ON ingress.consent (changed_at) WHERE NOT announced;
COMMENT ON TABLE ingress.consent IS
    'One row for each recipient that is on a list or was. package_id: * for all packages. since: of the present state.
     evidence: the customer''s message that asked for it; kept when lifted, so that a repeated report changes nothing.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
