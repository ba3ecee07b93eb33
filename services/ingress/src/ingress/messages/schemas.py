"""Message form: what a caller asks to be sent, flat as in the plan: a content, to whom, and how."""

from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)
from pydantic_core import to_json

from ingress.http.form import LocalMoment, Moment
from spreader.contract.configuration import Distribution
from spreader.contract.content import (
    Content,
    DocumentContent,
    ImageContent,
    Part,
    Template,
    TemplateContent,
    TextContent,
    VideoContent,
    VoiceContent,
)
from spreader.contract.events import GatewayMessageId, OpenOptions
from spreader.contract.ids import PhoneNumber

RECIPIENTS_MAX = 100_000
TEMPLATE_BYTES_MAX = 65_536  # with 500 recipients the record stays far below Kafka's bound of 1 MiB


class Options(OpenOptions):
    """When the deliveries may go. A `schedule_at` in the past means now."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    schedule_at: Moment | None = None
    schedule_local: LocalMoment | None = None
    drip_until: Moment | None = None
    expires_at: Moment | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.contradiction is not None:
            raise ValueError(self.contradiction)
        return self


class OpenFields(Part):
    recipients: tuple[PhoneNumber, ...] = Field(
        min_length=1,
        max_length=RECIPIENTS_MAX,
        description="Phone numbers in international form, digits only. Repeats are sent once.",
        examples=[["201001234567", "201001234568"]],
    )
    distribution: Distribution | None = Field(default=None, description="The package's if left out.")
    options: Options = Options()


class ReplyFields(Part):
    recipient: PhoneNumber = Field(description="The customer who waits.", examples=["201001234567"])
    conversation_id: str | None = Field(
        default=None,
        max_length=128,
        description="Ours, to go on with a conversation: it must be the recipient's. Any other text is your own name.",
        examples=["conv_xyz789"],
    )
    quote: GatewayMessageId | None = Field(
        default=None, description="The gateway's id of the message that this answers: it is shown above the reply."
    )


def _bounded(template: Template) -> Template:
    if len(to_json(template.components)) > TEMPLATE_BYTES_MAX:
        raise ValueError(f"the components are over {TEMPLATE_BYTES_MAX} bytes")
    return template


BoundedTemplate = Annotated[Template, AfterValidator(_bounded)]


class OpenText(OpenFields, TextContent): ...


class OpenImage(OpenFields, ImageContent): ...


class OpenVoice(OpenFields, VoiceContent): ...


class OpenDocument(OpenFields, DocumentContent): ...


class OpenVideo(OpenFields, VideoContent): ...


class OpenTemplate(OpenFields, TemplateContent):
    template: BoundedTemplate


class ReplyText(ReplyFields, TextContent): ...


class ReplyImage(ReplyFields, ImageContent): ...


class ReplyVoice(ReplyFields, VoiceContent): ...


class ReplyDocument(ReplyFields, DocumentContent): ...


class ReplyVideo(ReplyFields, VideoContent): ...


class ReplyTemplate(ReplyFields, TemplateContent):
    template: BoundedTemplate


OpenMessage = OpenText | OpenImage | OpenVoice | OpenDocument | OpenVideo | OpenTemplate
ReplyMessage = ReplyText | ReplyImage | ReplyVoice | ReplyDocument | ReplyVideo | ReplyTemplate

OPEN: TypeAdapter[OpenMessage] = TypeAdapter(Annotated[OpenMessage, Field(discriminator="type")])
REPLY: TypeAdapter[ReplyMessage] = TypeAdapter(Annotated[ReplyMessage, Field(discriminator="type")])

C = TypeVar("C", bound=Part)
_CONTENTS: dict[str, type[Content]] = {
    "text": TextContent,
    "image": ImageContent,
    "voice": VoiceContent,
    "document": DocumentContent,
    "video": VideoContent,
    "template": TemplateContent,
}


def content_of(form: OpenMessage | ReplyMessage) -> Content:
    """The content part of a form. It was validated with the form: a second time would only cost time."""
    kind = _CONTENTS[form.type]
    return kind.model_construct(**{name: getattr(form, name) for name in kind.model_fields})
