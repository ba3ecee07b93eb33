"""Cloud API forms: the message bodies of Meta's documentation. Unknown fields are refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from spreader.contract.content import CONTENT, Content

Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{7,15}$")]
Link = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2048)]
Caption = Annotated[str, StringConstraints(max_length=1024)]
FilesById = Mapping[str, str]
"""Each file by its upload id. The value is `sha256:` and the digest of the file."""


class CloudForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MessageContext(CloudForm):
    message_id: str = Field(min_length=1)


class TextBody(CloudForm):
    body: str = Field(min_length=1, max_length=4096)
    preview_url: bool = False


class CloudMediaFile(CloudForm):
    id: str | None = None
    link: Link | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "CloudMediaFile":
        if (self.id is None) == (self.link is None):
            raise ValueError("give either `id` or `link`")
        return self

    def media(self, files: FilesById) -> dict[str, Any]:
        return {"url": self.link} if self.id is None else {"media_id": files[self.id]}


class CaptionedFile(CloudMediaFile):
    caption: Caption | None = None


class AudioFile(CloudMediaFile):
    voice: bool = False


class DocumentFile(CaptionedFile):
    filename: str | None = Field(default=None, max_length=240)

    def media(self, files: FilesById) -> dict[str, Any]:
        return {**super().media(files), "filename": self.filename}


class TemplateLanguage(CloudForm):
    code: str = Field(min_length=2, max_length=16)
    policy: Literal["deterministic"] = "deterministic"


class TemplateComponent(CloudForm):
    type: Literal["header", "body", "button"]
    sub_type: str | None = None
    index: Annotated[str, StringConstraints(pattern="^[0-9]$")] | Annotated[int, Field(ge=0, le=9)] | None = None
    parameters: tuple[dict[str, Any], ...] = ()

    @model_validator(mode="after")
    def _a_button_has_a_place(self) -> "TemplateComponent":
        if (self.type == "button") != (self.sub_type is not None and self.index is not None):
            raise ValueError("`sub_type` and `index` belong to a button, and a button needs both")
        if any("type" not in parameter for parameter in self.parameters):
            raise ValueError("each parameter has a `type`")
        return self


class TemplatePart(CloudForm):
    name: str = Field(min_length=1, max_length=512)
    language: TemplateLanguage
    components: tuple[TemplateComponent, ...] = ()


class CloudMessage(CloudForm):
    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"]
    to: Phone
    context: MessageContext | None = None
    biz_opaque_callback_data: str | None = Field(default=None, min_length=1, max_length=512)

    @property
    def recipient(self) -> str:
        return self.to.removeprefix("+")

    @property
    def file(self) -> CloudMediaFile | None:
        return None

    def content(self, files: FilesById) -> Content:
        """The content in Spreader's own form."""
        raise NotImplementedError


class TextMessage(CloudMessage):
    type: Literal["text"]
    text: TextBody

    def content(self, files: FilesById) -> Content:
        return CONTENT.validate_python({"type": "text", "text": self.text.body})


class ImageMessage(CloudMessage):
    type: Literal["image"]
    image: CaptionedFile

    @property
    def file(self) -> CloudMediaFile:
        return self.image

    def content(self, files: FilesById) -> Content:
        return _with_media("image", self.image.media(files), self.image.caption)


class VideoMessage(CloudMessage):
    type: Literal["video"]
    video: CaptionedFile

    @property
    def file(self) -> CloudMediaFile:
        return self.video

    def content(self, files: FilesById) -> Content:
        return _with_media("video", self.video.media(files), self.video.caption)


class AudioMessage(CloudMessage):
    type: Literal["audio"]
    audio: AudioFile

    @property
    def file(self) -> CloudMediaFile:
        return self.audio

    def content(self, files: FilesById) -> Content:
        return CONTENT.validate_python({"type": "voice", "media": self.audio.media(files)})


class DocumentMessage(CloudMessage):
    type: Literal["document"]
    document: DocumentFile

    @property
    def file(self) -> CloudMediaFile:
        return self.document

    def content(self, files: FilesById) -> Content:
        return _with_media("document", self.document.media(files), self.document.caption)


class TemplateMessage(CloudMessage):
    type: Literal["template"]
    template: TemplatePart

    def content(self, files: FilesById) -> Content:
        parts = [component.model_dump(exclude_none=True) for component in self.template.components]
        template = {"name": self.template.name, "language": self.template.language.code, "components": parts}
        return CONTENT.validate_python({"type": "template", "template": template})


class MarkRead(CloudForm):
    messaging_product: Literal["whatsapp"]
    status: Literal["read"]
    message_id: str = Field(min_length=1)
    typing_indicator: dict[Literal["type"], Literal["text"]] | None = None


MESSAGE: TypeAdapter[CloudMessage] = TypeAdapter(
    Annotated[
        TextMessage | ImageMessage | VideoMessage | AudioMessage | DocumentMessage | TemplateMessage,
        Field(discriminator="type"),
    ]
)


def first_error(error: ValidationError) -> tuple[str, str]:
    """Meta's code and message for the first error."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(name) for name in first["loc"][1:] or first["loc"]) or "type"
    match first["type"]:
        case "missing" | "union_tag_not_found":
            return "131008", f"The parameter {field} is required."
        case "extra_forbidden":
            return "100", f"Unexpected key '{field}'"
        case "union_tag_invalid":
            return "131051", "Message type is currently not supported"
        case _:
            return "131009", f"Parameter value is not valid: {field}: {first['msg']}"


def _with_media(kind: str, media: dict[str, Any], caption: str | None) -> Content:
    return CONTENT.validate_python({"type": kind, "media": media, "caption": caption})
