"""Cloud API form: a message as Meta's description has it, field by field; one that Meta does not know is refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from spreader.contract.content import CONTENT, Content

Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{7,15}$")]
Link = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2048)]
Caption = Annotated[str, StringConstraints(max_length=1024)]
Files = Mapping[str, str]
"""What stands behind the ids of uploads: `sha256:` and the digest of the file."""


class Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Context(Form):
    message_id: str = Field(min_length=1)


class Words(Form):
    body: str = Field(min_length=1, max_length=4096)
    preview_url: bool = False


class File(Form):
    id: str | None = None
    link: Link | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "File":
        if (self.id is None) == (self.link is None):
            raise ValueError("give either `id` or `link`")
        return self

    def media(self, files: Files) -> dict[str, Any]:
        return {"url": self.link} if self.id is None else {"media_id": files[self.id]}


class Captioned(File):
    caption: Caption | None = None


class Sound(File):
    voice: bool = False


class Paper(Captioned):
    filename: str | None = Field(default=None, max_length=240)

    def media(self, files: Files) -> dict[str, Any]:
        return {**super().media(files), "filename": self.filename}


class Language(Form):
    code: str = Field(min_length=2, max_length=16)
    policy: Literal["deterministic"] = "deterministic"


class Component(Form):
    type: Literal["header", "body", "button"]
    sub_type: str | None = None
    index: Annotated[str, StringConstraints(pattern="^[0-9]$")] | Annotated[int, Field(ge=0, le=9)] | None = None
    parameters: tuple[dict[str, Any], ...] = ()

    @model_validator(mode="after")
    def _a_button_has_a_place(self) -> "Component":
        if (self.type == "button") != (self.sub_type is not None and self.index is not None):
            raise ValueError("`sub_type` and `index` belong to a button, and a button needs both")
        if any("type" not in parameter for parameter in self.parameters):
            raise ValueError("each parameter has a `type`")
        return self


class TemplatePart(Form):
    name: str = Field(min_length=1, max_length=512)
    language: Language
    components: tuple[Component, ...] = ()


class Message(Form):
    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"]
    to: Phone
    context: Context | None = None
    biz_opaque_callback_data: str | None = Field(default=None, min_length=1, max_length=512)

    @property
    def recipient(self) -> str:
        return self.to.removeprefix("+")

    @property
    def file(self) -> File | None:
        return None

    def content(self, files: Files) -> Content:
        """What is said, as our own language has it."""
        raise NotImplementedError


class TextMessage(Message):
    type: Literal["text"]
    text: Words

    def content(self, files: Files) -> Content:
        return CONTENT.validate_python({"type": "text", "text": self.text.body})


class ImageMessage(Message):
    type: Literal["image"]
    image: Captioned

    @property
    def file(self) -> File:
        return self.image

    def content(self, files: Files) -> Content:
        return _with_media("image", self.image.media(files), self.image.caption)


class VideoMessage(Message):
    type: Literal["video"]
    video: Captioned

    @property
    def file(self) -> File:
        return self.video

    def content(self, files: Files) -> Content:
        return _with_media("video", self.video.media(files), self.video.caption)


class AudioMessage(Message):
    type: Literal["audio"]
    audio: Sound

    @property
    def file(self) -> File:
        return self.audio

    def content(self, files: Files) -> Content:
        return CONTENT.validate_python({"type": "voice", "media": self.audio.media(files)})


class DocumentMessage(Message):
    type: Literal["document"]
    document: Paper

    @property
    def file(self) -> File:
        return self.document

    def content(self, files: Files) -> Content:
        return _with_media("document", self.document.media(files), self.document.caption)


class TemplateMessage(Message):
    type: Literal["template"]
    template: TemplatePart

    def content(self, files: Files) -> Content:
        parts = [each.model_dump(exclude_none=True) for each in self.template.components]
        template = {"name": self.template.name, "language": self.template.language.code, "components": parts}
        return CONTENT.validate_python({"type": "template", "template": template})


class MarkRead(Form):
    messaging_product: Literal["whatsapp"]
    status: Literal["read"]
    message_id: str = Field(min_length=1)
    typing_indicator: dict[Literal["type"], Literal["text"]] | None = None


MESSAGE: TypeAdapter[Message] = TypeAdapter(
    Annotated[
        TextMessage | ImageMessage | VideoMessage | AudioMessage | DocumentMessage | TemplateMessage,
        Field(discriminator="type"),
    ]
)


def wrong(error: ValidationError) -> tuple[str, str]:
    """Meta's code for the first thing that is wrong, and its place in words."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(each) for each in first["loc"][1:] or first["loc"]) or "type"
    match first["type"]:
        case "missing" | "union_tag_not_found":
            return "131008", f"The parameter {place} is required."
        case "extra_forbidden":
            return "100", f"Unexpected key '{place}'"
        case "union_tag_invalid":
            return "131051", "Message type is currently not supported"
        case _:
            return "131009", f"Parameter value is not valid: {place}: {first['msg']}"


def _with_media(kind: str, media: dict[str, Any], caption: str | None) -> Content:
    return CONTENT.validate_python({"type": kind, "media": media, "caption": caption})
