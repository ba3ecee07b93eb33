"""Linked-device form: a send as WAHA and Evolution take it; a field that they do not know is refused."""

import base64
import binascii
import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from simulator.core.hidden import revealed
from spreader.contract.content import CONTENT, Content

ChatId = Annotated[str, StringConstraints(pattern=r"^([0-9]{7,15}@c\.us|[0-9]+@lid)$")]
Number = Annotated[str, StringConstraints(pattern=r"^([0-9]{7,15}(@s\.whatsapp\.net)?|[0-9]+@lid)$")]
Milliseconds = Annotated[int, Field(ge=0, le=300_000)]


class Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def recipient(self) -> str | None:
        """The number that is written to; None for a hidden id that nobody has."""
        raise NotImplementedError

    @property
    def quote(self) -> str | None:
        """The bare id of the message that it answers."""
        raise NotImplementedError

    def content(self) -> Content:
        """What is said, as our own language has it."""
        raise NotImplementedError


class WahaSend(Form):
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
        source = {"url": self.url} if self.data is None else {"media_id": digest(self.data)}
        return {**source, "filename": self.filename} if kind == "document" else source


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


class EvolutionSend(Form):
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
        media = {**source(self.media), **name}
        return CONTENT.validate_python({"type": self.mediatype, "media": media, "caption": self.caption})


class EvolutionAudio(EvolutionSend):
    audio: str = Field(min_length=1)
    encoding: bool | None = None

    def content(self) -> Content:
        return CONTENT.validate_python({"type": "voice", "media": source(self.audio)})


class Unowned(ValueError):
    """A medium is neither an address nor base64."""


def source(media: str) -> dict[str, str]:
    """Where the file is; raises `Unowned`."""
    if _is_url(media):
        return {"url": media}
    found = digest(media)
    if found is None:
        raise Unowned
    return {"media_id": found}


def digest(data: str) -> str | None:
    """`sha256:` and the digest of what base64 holds: the same file has the same name on every wire."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return f"sha256:{hashlib.sha256(raw).hexdigest()}" if raw else None


def complaints(error: ValidationError) -> list[str]:
    """Each thing that is wrong, as these gateways word it."""
    found: list[str] = []
    for each in error.errors(include_url=False):
        place = ".".join(str(name) for name in each["loc"])
        unknown = each["type"] == "extra_forbidden"
        found.append(f"property {place} should not exist" if unknown else f"{place}: {each['msg']}")
    return found


def _is_url(media: str) -> bool:
    return media.startswith(("http://", "https://"))


def _number(name: str) -> str | None:
    digits, _, domain = name.partition("@")
    return revealed(digits) if domain == "lid" else digits
