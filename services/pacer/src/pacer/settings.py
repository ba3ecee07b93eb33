"""Settings: the environment variables of the pacer."""

from datetime import timedelta

from pydantic import Field, PositiveFloat, PositiveInt

from spreader.settings import Settings


class PacerSettings(Settings):
    pacer_port: PositiveInt = 8003
    pacer_profiles_a_turn: PositiveInt = 200
    """The most profiles that one release pass decides for."""
    pacer_silence_seconds: PositiveFloat = 30.0
    """If Kafka leaves the reads of configuration and profile states unanswered for this many seconds, the pacer stops
    releasing. An answer without records is an answer too."""
    pacer_release_margin_seconds: PositiveFloat = 2.5
    """The time before a rest window, in wall seconds, in which the pacer releases nothing."""
    pacer_send_margin_seconds: PositiveFloat = 1.0
    """The time before a rest window, in wall seconds, in which the sender begins no send."""

    pacer_outcome_minutes: PositiveFloat = 60.0
    """If a release has had no outcome for this many minutes of wall time, the pacer asks the sender about it."""
    sender_url: str = "http://127.0.0.1:8004"
    """The URL of the sender. The pacer asks it about releases without an outcome."""

    pacer_contact_keep_days: float = Field(default=180.0, ge=35.0)
    """How many days the pacer remembers a profile's contact after the last message, and the hours in which a recipient
    has read. At least 35 days, because the limits on contacts look back 30 days."""

    @property
    def contact_keep(self) -> timedelta:
        return timedelta(days=self.pacer_contact_keep_days)

    @property
    def outcome_wait(self) -> timedelta:
        return timedelta(minutes=self.pacer_outcome_minutes)

    @property
    def release_margin(self) -> timedelta:
        return timedelta(seconds=self.pacer_release_margin_seconds)

    @property
    def send_margin(self) -> timedelta:
        return timedelta(seconds=self.pacer_send_margin_seconds)
