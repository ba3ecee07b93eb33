"""Alembic's entry: runs one service's migrations on the connection that `spreader.postgres.migrate` hands over."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    version_table="migration",
    version_table_schema=config.attributes["schema"],
)
context.run_migrations()
