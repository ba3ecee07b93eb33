"""Known conversations: everything that the router knows about one recipient."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.conversations import Conversation
from router.sql_conversations import CONVERSATION_COLUMNS
from spreader.erasure.sql_removals import first_column
from spreader.phone.canonical import spellings
from spreader.runtime.rows import fetched


async def known_conversations(connection: AsyncConnection, recipient: str) -> Sequence[Conversation]:
    """The conversations of a recipient, under any form of the number, in all packages."""
    params = {"recipients": list(spellings(recipient))}
    return fetched(Conversation, await connection.execute(_ALL_OF, params))


_ALL_OF = text(f"""
{first_column("router.conversation", "package_id")}
SELECT {CONVERSATION_COLUMNS} FROM leads CROSS JOIN LATERAL (
    SELECT * FROM router.conversation AS mine
    WHERE mine.package_id = leads.value AND mine.recipient = ANY (CAST(:recipients AS text[])) LIMIT 2) AS conversation
ORDER BY conversation.package_id, conversation.recipient""")
