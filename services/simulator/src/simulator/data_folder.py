"""Data folder: opens the simulator's files when the service starts, and closes them when it stops."""

import asyncio

from simulator.accounts import AccountRegistry
from simulator.customer_messages import CustomerMessageStore
from simulator.send_ledger import SendLedger
from simulator.uploads import MediaUploads


class DataFolder:
    """Component that opens and closes all files of the simulator."""

    name = "home"

    def __init__(
        self,
        ledger: SendLedger,
        accounts: AccountRegistry,
        customer_messages: CustomerMessageStore,
        uploads: MediaUploads,
    ) -> None:
        self._files = (ledger, accounts, customer_messages, uploads)
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
