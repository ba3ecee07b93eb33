"""Alembic environment: runs the migrations of one service on the connection that `migrate` passes in."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    version_table="migration",
    version_table_schema=config.attributes["schema"],
)
context.run_migrations()
