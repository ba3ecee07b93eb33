"""0012: the Kafka cluster to which all configuration and consents have been published."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("CREATE TABLE ingress.published_cluster (cluster_id text PRIMARY KEY)")
