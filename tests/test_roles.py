"""Roles: on the newest Postgres too, a service's role uses only its schema, and gets rights on tables of later
migrations. `tests/e2e/test_e2e_connections.py` shows the same on the distribution's Postgres."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.migrations.roles import make_roles
from spreader.runtime.migrations.runner import NotMigrated, migrate, require_migrated
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

SERVICES = ("router", "stats")


@dataclass(frozen=True, slots=True)
class Made:
    """The roles of one test. Roles belong to the whole server, so each test has its own."""

    database_url: str
    run: str

    @property
    def owner(self) -> str:
        return f"owner_{self.run}"

    @property
    def names(self) -> list[str]:
        return [self.owner, *(self.of(service) for service in SERVICES)]

    def of(self, service: str) -> str:
        return f"{service}_{self.run}"

    def engine(self, role: str) -> AsyncEngine:
        url = make_url(self.database_url).set(username=role).render_as_string(hide_password=False)
        return create_engine(Settings(database_url=url), "test")


@pytest.fixture
async def made(database_url: str) -> AsyncGenerator[Made]:
    """Roles that were made twice, because an operator may repeat the command."""
    made, engine = Made(database_url, uuid4().hex[:12]), create_engine(Settings(database_url=database_url), "test")
    try:
        for _ in range(2):
            await make_roles(engine, SERVICES, made.of("{service}"), made.owner)
        yield made
    finally:
        async with engine.begin() as connection:
            for role in made.names:
                await connection.execute(text(f"DROP OWNED BY {role} CASCADE"))
                await connection.execute(text(f"DROP ROLE {role}"))
        await engine.dispose()


@pytest.mark.postgres
async def test_the_owner_migrates_and_a_service_uses_only_its_own_rows(made: Made) -> None:
    owner, router = made.engine(made.owner), made.engine(made.of("router"))
    try:
        with pytest.raises(NotMigrated, match="python -m spreader migrate router"):
            await require_migrated(router, "router")
        for service in SERVICES:
            await migrate(owner, service)
        await require_migrated(router, "router")
        async with router.begin() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM router.position")) == 0
            await connection.execute(text("INSERT INTO router.position VALUES ('c', 't', 0, 1)"))
            await connection.execute(text("DELETE FROM router.position"))
        for statement in ("SELECT FROM stats.position", "DROP TABLE router.position", "CREATE TABLE router.a ()"):
            with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                async with router.begin() as connection:
                    await connection.execute(text(statement))
    finally:
        await owner.dispose()
        await router.dispose()
