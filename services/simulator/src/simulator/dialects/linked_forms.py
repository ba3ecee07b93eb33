"""Linked-device forms: the send bodies of WAHA and Evolution. Unknown fields are refused."""

import base64
import binascii
import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from simulator.core.phone_numbers import reveal_number
from spreader.contract.content import CONTENT, Content

ChatId = Annotated[str, StringConstraints(pattern=r"^([0-9]{7,15}@c\.us|[0-9]+@lid)$")]
Number = Annotated[str, StringConstraints(pattern=r"^([0-9]{7,15}(@s\.whatsapp\.net)?|[0-9]+@lid)$")]
Milliseconds = Annotated[int, Field(ge=0, le=300_000)]


class LinkedForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def recipient(self) -> str | None:
        """The recipient's number. None: the hidden id is unknown."""
        raise NotImplementedError

    @property
    def quote(self) -> str | None:
        """The id of the message that this message quotes. None if it quotes none."""
        raise NotImplementedError

    def content(self) -> Content:
        """The content in Spreader's own form."""
        raise NotImplementedError


class WahaSend(LinkedForm):
    session: str
    chat_id: ChatId = Field(alias="chatId")
    reply_to: str | None = None

    @property
    def recipient(self) -> str | None:
        return _number(self.chat_id)

    @property
    def quote(self) -> str | None:
        return None if self.reply_to is None else self.reply_to.split("_")[-1]


class WahaText(WahaSend):
    text: str = Field(min_length=1, max_length=4096)
    mentions: tuple[str, ...] = ()
    link_preview: bool = Field(default=True, alias="linkPreview")
    link_preview_high_quality: bool = Field(default=False, alias="linkPreviewHighQuality")

    def content(self) -> Content:
        return CONTENT.validate_python({"type": "text", "text": self.text})


class WahaFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mimetype: str = Field(pattern=r"^[a-z]+/[a-z0-9.+-]+(; ?[a-z]+=[a-z0-9-]+)*$")
    filename: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    data: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "WahaFile":
        if (self.url is None) == (self.data is None):
            raise ValueError("file should have either url or data")
        if self.data is not None and digest(self.data) is None:
            raise ValueError("file.data must be base64 encoded")
        return self

    def media(self, kind: str) -> dict[str, Any]:
        media_source = {"url": self.url} if self.data is None else {"media_id": digest(self.data)}
        return {**media_source, "filename": self.filename} if kind == "document" else media_source


class WahaMedia(WahaSend):
    file: WahaFile
    caption: str | None = Field(default=None, max_length=1024)

    def of_kind(self, kind: str) -> Content:
        return CONTENT.validate_python({"type": kind, "media": self.file.media(kind), "caption": self.caption})


class WahaImage(WahaMedia):
    def content(self) -> Content:
        return self.of_kind("image")


class WahaDocument(WahaMedia):
    def content(self) -> Content:
        return self.of_kind("document")


class WahaVideo(WahaMedia):
    as_note: bool = Field(default=False, alias="asNote")
    convert: bool = False

    def content(self) -> Content:
        return self.of_kind("video")


class WahaVoice(WahaSend):
    file: WahaFile
    convert: bool = False

    def content(self) -> Content:
        return CONTENT.validate_python({"type": "voice", "media": self.file.media("voice")})


class QuotedKey(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    id: str = Field(min_length=1)


class Quoted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: QuotedKey
    message: dict[str, Any] = {}


class EvolutionSend(LinkedForm):
    model_config = ConfigDict(alias_generator=to_camel)

    number: Number
    delay: Milliseconds | None = None
    quoted: Quoted | None = None
    mentions_every_one: bool | None = None
    mentioned: tuple[str, ...] | None = None

    @property
    def recipient(self) -> str | None:
        return _number(self.number)

    @property
    def quote(self) -> str | None:
        return None if self.quoted is None else self.quoted.key.id


class EvolutionText(EvolutionSend):
    text: str = Field(min_length=1, max_length=4096)
    link_preview: bool | None = None

    def content(self) -> Content:
        return CONTENT.validate_python({"type": "text", "text": self.text})


class EvolutionMedia(EvolutionSend):
    mediatype: Literal["image", "video", "document"]
    media: str = Field(min_length=1)
    mimetype: str | None = None
    file_name: str | None = None
    caption: str | None = Field(default=None, max_length=1024)

    @model_validator(mode="after")
    def _a_document_has_a_name(self) -> "EvolutionMedia":
        if self.mediatype == "document" and not _is_url(self.media) and not self.file_name:
            raise ValueError("For base64 the file name must be informed.")
        return self

    def content(self) -> Content:
        name = {"filename": self.file_name} if self.mediatype == "document" else {}
        media = {**media_source(self.media), **name}
        return CONTENT.validate_python({"type": self.mediatype, "media": media, "caption": self.caption})


class EvolutionAudio(EvolutionSend):
    audio: str = Field(min_length=1)
    encoding: bool | None = None

    def content(self) -> Content:
        return CONTENT.validate_python({"type": "voice", "media": media_source(self.audio)})


class InvalidMedia(ValueError):
    """The media field is neither an address nor base64."""


def media_source(media: str) -> dict[str, str]:
    """The address or the digest of a file. Raises `InvalidMedia`."""
    if _is_url(media):
        return {"url": media}
    media_id = digest(media)
    if media_id is None:
        raise InvalidMedia
    return {"media_id": media_id}


def digest(data: str) -> str | None:
    """The id of a file: `sha256:` and the digest of its content. None if `data` is not base64."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return f"sha256:{hashlib.sha256(raw).hexdigest()}" if raw else None


def error_texts(error: ValidationError) -> list[str]:
    """The errors in these gateways' words."""
    texts: list[str] = []
    for item in error.errors(include_url=False):
        field = ".".join(str(name) for name in item["loc"])
        is_unknown = item["type"] == "extra_forbidden"
        texts.append(f"property {field} should not exist" if is_unknown else f"{field}: {item['msg']}")
    return texts


def _is_url(media: str) -> bool:
    return media.startswith(("http://", "https://"))


def _number(name: str) -> str | None:
    digits, _, domain = name.partition("@")
    return reveal_number(digits) if domain == "lid" else digits
