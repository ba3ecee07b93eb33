"""Content: what a message contains. Each kind of WhatsApp message has a class."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

TEXT_CHARACTERS_MAX = 4096  # WhatsApp's limit for the body of a text message
CAPTION_CHARACTERS_MAX = 1024
URL_CHARACTERS_MAX = 2048
FILENAME_CHARACTERS_MAX = 240

Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_CHARACTERS_MAX, pattern=r"\S")]
Caption = Annotated[str, StringConstraints(max_length=CAPTION_CHARACTERS_MAX)]
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$", max_length=URL_CHARACTERS_MAX)]


class ContentModel(BaseModel):
    """Part of a content. It is immutable. Readers of events ignore unknown fields, but the API of ingress rejects
    them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class Media(ContentModel):
    """Where the file is: a public URL, or an id from `POST /media`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given("url"), _given("media_id")]})

    url: WebAddress | None = Field(default=None, examples=["https://example.com/offer.png"])
    media_id: str | None = Field(default=None, min_length=1, max_length=128)
    filename: str | None = Field(default=None, min_length=1, max_length=FILENAME_CHARACTERS_MAX)

    @model_validator(mode="after")
    def _one_source(self) -> "Media":
        if (self.url is None) == (self.media_id is None):
            raise ValueError("give either `url` or `media_id`")
        return self


class TextContent(ContentModel):
    type: Literal["text"]
    text: Text = Field(description="The text, 1 to 4096 characters.", examples=["Hello! Check out our new offers..."])


class ImageContent(ContentModel):
    type: Literal["image"]
    media: Media
    caption: Caption | None = None


class VoiceContent(ContentModel):
    type: Literal["voice"]
    media: Media


class DocumentContent(ContentModel):
    type: Literal["document"]
    media: Media
    caption: Caption | None = None


class VideoContent(ContentModel):
    type: Literal["video"]
    media: Media
    caption: Caption | None = None


MediaContent = ImageContent | VoiceContent | DocumentContent | VideoContent


class Template(ContentModel):
    """A template that Meta has approved. `components` has the form that Meta's Cloud API requires."""

    name: str = Field(min_length=1, max_length=512)
    language: str = Field(min_length=2, max_length=16, examples=["en_US"])
    components: tuple[dict[str, Any], ...] = Field(default=(), max_length=20)


class TemplateContent(ContentModel):
    type: Literal["template"]
    template: Template


Content = Annotated[
    TextContent | ImageContent | VoiceContent | DocumentContent | VideoContent | TemplateContent,
    Field(discriminator="type"),
]
CONTENT: TypeAdapter[Content] = TypeAdapter(Content)
CONTENT_FIELDS = ("type", "text", "media", "caption", "template")


def content_json(content: Content) -> str:
    """The JSON of a content, as tables store it. Equal contents have equal JSON, so `content_hash` hashes it."""
    return CONTENT.dump_json(content, exclude_none=True).decode()


def content_hash(content: Content) -> str:
    """16 hex digits of the content's SHA-256. Ledgers and logs contain it, because they must not contain the text."""
    return hashlib.sha256(content_json(content).encode()).hexdigest()[:16]
