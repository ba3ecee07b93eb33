"""0025: an index of the possible opt-outs of a person, whatever the package."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    create_index_concurrently("ingress.possible_opt_out_of_recipient", "possible_opt_out (recipient)")
