"""Labels: the name and the tags by which people find a message again, and who sent it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

NAME_CHARACTERS_MAX = 200
TAGS_MAX = 20
TAG_CHARACTERS_MAX = 64

MessageName = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=r"\S")]
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=TAG_CHARACTERS_MAX, pattern=r"^[^\s,](?:[^,]*[^\s,])?$")
]
"""A tag without commas, which begins and ends with a visible character."""


def _check_repeats(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(tags)) < len(tags):
        raise ValueError("a tag is listed twice")
    return tags


Tags = Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX), AfterValidator(_check_repeats)]


class SentBy(BaseModel):
    """Who sent a message."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key_id: str | None = Field(default=None, max_length=64)
    """The API key of the request. None: the request came over Kafka."""
    operator: str | None = Field(default=None, max_length=100)
    """The person that the request names in `Spreader-Operator`. None: the request has no such header."""
