"""Home: the folder with everything that the simulator keeps, opened before the first request is served."""

import asyncio

from simulator.accounts import Accounts
from simulator.ledger import Ledger
from simulator.mailbox import Mailbox
from simulator.uploads import Uploads


class Home:
    name = "home"

    def __init__(self, ledger: Ledger, accounts: Accounts, mailbox: Mailbox, uploads: Uploads) -> None:
        self._files = (ledger, accounts, mailbox, uploads)
        self._open = False

    async def start(self) -> None:
        try:
            for file in self._files:
                await asyncio.to_thread(file.open)
        except BaseException:
            self._close()
            raise
        self._open = True

    async def stop(self) -> None:
        self._open = False
        self._close()

    def not_ready_reason(self) -> str | None:
        return None if self._open else "the files are not open"

    def is_live(self) -> bool:
        return True

    def _close(self) -> None:
        for file in self._files:
            file.close()
