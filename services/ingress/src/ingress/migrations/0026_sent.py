"""0026: what was sent and by whom, and when deliveries arrived."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0026"
down_revision = "0025"

SQL = """
ALTER TABLE ingress.message ADD COLUMN IF NOT EXISTS name text;
ALTER TABLE ingress.message ADD COLUMN IF NOT EXISTS tags jsonb NOT NULL DEFAULT '[]';
ALTER TABLE ingress.message ADD COLUMN IF NOT EXISTS content jsonb;
ALTER TABLE ingress.message ADD COLUMN IF NOT EXISTS sent_by jsonb;
ALTER TABLE ingress.message ADD COLUMN IF NOT EXISTS resend_of text;
ALTER TABLE ingress.delivery ADD COLUMN IF NOT EXISTS requested_at timestamptz;
ALTER TABLE ingress.delivery ADD COLUMN IF NOT EXISTS delivered_at timestamptz;
ALTER TABLE ingress.delivery ADD COLUMN IF NOT EXISTS read_at timestamptz;
ALTER TABLE ingress.delivery ADD COLUMN IF NOT EXISTS resent_as text;
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
