"""SQL of roles: one role for each service, which reads and writes only the rows of its own schema, and an owner."""

from collections.abc import Iterable, Iterator

ROLE = "spreader_{service}"
"""The name of a service's role."""
OWNER = "spreader"


def statements_of_roles(services: Iterable[str], role: str = ROLE, owner: str = OWNER) -> Iterator[str]:
    """The statements that make the roles and their rights. They may be executed again: whatever exists stays.

    They set no password. A role that exists, perhaps made by another tool, gets only the rights. The tables that later
    migrations create get the same rights, because the owner's default rights say so.
    """
    yield from (_made(owner), _on_database("CONNECT, CREATE", owner))
    for service in services:
        name = role.format(service=service)
        rights, of_owner = f'TO "{name}"', f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA "{service}"'
        yield from (
            _made(name),
            _on_database("CONNECT", name),
            f'CREATE SCHEMA IF NOT EXISTS "{service}" AUTHORIZATION "{owner}"',
            f'GRANT USAGE ON SCHEMA "{service}" {rights}',
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{service}" {rights}',
            f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA "{service}" {rights}',
            f"{of_owner} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES {rights}",
            f"{of_owner} GRANT USAGE ON SEQUENCES {rights}",
        )


def _made(role: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
        f'THEN CREATE ROLE "{role}" LOGIN; END IF; END $$'
    )


def _on_database(rights: str, role: str) -> str:
    """These rights on the database to which the client is connected."""
    return f"DO $$ BEGIN EXECUTE format('GRANT {rights} ON DATABASE %I TO \"{role}\"', current_database()); END $$"
