"""Settings: the simulator's environment variables."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from simulator.core.customers import CustomerHabits
from spreader.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class SimulatorSettings(Settings):
    """Read from the variables `SPREADER_SIMULATOR_…`. README.md describes each."""

    simulator_port: int = 8090
    simulator_home: Path = Path(".spreader/simulator")
    simulator_seed: int = 1
    simulator_delivered_share: Share = 1.0
    simulator_failed_share: Share = 0.0
    simulator_read_share: Share = 0.6
    simulator_reply_share: Share = 0.0
    simulator_registration_wait_seconds: NonNegativeFloat = 10.0
    simulator_callbacks_max: PositiveInt = 200_000
    simulator_callback_workers: PositiveInt = 32
    simulator_callback_timeout_seconds: Annotated[float, Field(gt=0)] = 10.0
    simulator_callback_back_off_factor: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def habits(self) -> CustomerHabits:
        return CustomerHabits(
            seed=self.simulator_seed,
            delivered_share=self.simulator_delivered_share,
            failed_share=self.simulator_failed_share,
            read_share=self.simulator_read_share,
            reply_share=self.simulator_reply_share,
        )
