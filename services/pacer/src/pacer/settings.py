"""Settings: the environment variables of the pacer."""

from datetime import timedelta

from pydantic import PositiveFloat, PositiveInt

from spreader.settings import Settings


class PacerSettings(Settings):
    pacer_port: PositiveInt = 8003
    pacer_profiles_a_turn: PositiveInt = 200
    """The most profiles that one release pass decides for."""
    pacer_silence_seconds: PositiveFloat = 30.0
    """Nothing is released after Kafka has not answered the reads of configuration and profile states for this many
    seconds. An empty answer counts."""
    pacer_release_margin_seconds: PositiveFloat = 2.5
    """How many wall seconds before a rest window the pacer stops releasing."""
    pacer_send_margin_seconds: PositiveFloat = 1.0
    """How many wall seconds before a rest window the sender stops beginning sends."""

    @property
    def release_margin(self) -> timedelta:
        return timedelta(seconds=self.pacer_release_margin_seconds)

    @property
    def send_margin(self) -> timedelta:
        return timedelta(seconds=self.pacer_send_margin_seconds)
