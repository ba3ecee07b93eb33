"""Alembic environment: runs the migrations of one service, each in its own transaction, on the runner's connection."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    version_table="migration",
    version_table_schema=config.attributes["schema"],
    transaction_per_migration=True,
)
context.run_migrations()
