"""Behaviour: in what an account is more like WhatsApp than one that takes everything; nothing unless asked for."""

from pydantic import BaseModel, ConfigDict


class Behaviour(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    lid: bool = False
    """Linked devices: customers are named by their hidden id in what comes back."""
