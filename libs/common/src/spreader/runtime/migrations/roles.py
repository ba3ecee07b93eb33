"""Roles: gives each service a role of Postgres that can use only the schema of the service."""

import re
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.migrations.sql_roles import OWNER, ROLE, statements_of_roles

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


async def make_roles(engine: AsyncEngine, services: Iterable[str], role: str = ROLE, owner: str = OWNER) -> None:
    """Make the roles that are missing, and give all of them their rights, in one transaction. Raises DBAPIError."""
    async with engine.begin() as connection:
        for statement in statements_of_roles(services, role, owner):
            await connection.exec_driver_sql(statement)


def is_role_name(name: str) -> bool:
    """Whether a role may have this name. Only letters, digits, `_` and `-` are allowed, so a name needs no quotes."""
    return _NAME.fullmatch(name) is not None
