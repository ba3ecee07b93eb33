"""New numbers: the contacts of a person continue under the person's new number."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.sql import contacts, intake
from pacer.sql import new_numbers as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.erasure.postgres import ErasureTable
from spreader.phone.canonical import PersonKey
from spreader.runtime.rows import arrays, fetched


@dataclass(frozen=True, slots=True)
class NewNumbers:
    engine: AsyncEngine
    config: PacerConfigCache
    clock: Clock
    erasures: ErasureTable

    async def follow(self, package_id: str, old: PersonKey, new: PersonKey, at: datetime) -> bool:
        """Give the new number what the package's profiles know about the old one: whether the person is a cold contact,
        and whether an answer is missing. `at`: when the person changed the number. A repeat changes nothing.

        Returns False if the old number is no contact, or if the person was erased since then.
        """
        package = self.config.package(package_id)
        if package is None or old == new:
            return False
        profile_ids = [profile.profile_id for profile in package.profiles]
        async with self.engine.begin() as connection:
            if any(await self.erasures.are_erased(connection, [(old, at), (new, at)])):
                return False
            of_person = {"recipient": old, "new_recipient": new}
            known = (await connection.execute(sql.OLD_CONTACTS, {"profile_ids": profile_ids, **of_person})).scalars()
            if not (profile_ids := list(known)):
                return False
            now = await system_now(connection, self.clock)
            # Profiles first: a release pass locks profiles before contacts, and the reverse order would deadlock.
            wakes = {"profile_ids": profile_ids, "package_ids": [], "answered_ids": [], "now": now}
            await connection.execute(intake.PROFILES_WAKE, wakes)
            params = {"profile_ids": profile_ids, **of_person, "now": now}
            await connection.execute(sql.LOCK_CONTACTS, params)
            await connection.execute(sql.FOLLOW, params)
            warm = fetched(contacts.ContactKey, await connection.execute(sql.WARM, params))
            await connection.execute(contacts.DELIVERY_WARM, arrays(contacts.ContactKey, warm))
        return True
