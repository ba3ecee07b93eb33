"""0005: the history of configuration changes, and an index for a package's messages, newest first."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0005"
down_revision = "0002"

SQL = """
CREATE TABLE ingress.change (
    package_id  text        NOT NULL,
    number      bigint      NOT NULL,
    at          timestamptz NOT NULL,
    who         text,
    undoes      bigint,
    differences jsonb       NOT NULL,
    PRIMARY KEY (package_id, number)
);
CREATE INDEX change_undone ON ingress.change (package_id, undoes) WHERE undoes IS NOT NULL;
COMMENT ON TABLE ingress.change IS
    'One row for each change of a package or its profiles. number: the version of the package that it made. who: as the
     caller named them. differences: [{pointer, from, to}]; what was not there has no member. No credentials.';
"""


def upgrade() -> None:
    create_index_concurrently("ingress.message_of_package", "message (package_id, accepted_at DESC, message_id DESC)")
    for statement in statements(SQL):
        op.execute(statement)
