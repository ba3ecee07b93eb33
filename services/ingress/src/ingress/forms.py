"""Form: a JSON object that a caller sends, checked field by field."""

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """A field that we do not know is refused: it would have no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")
