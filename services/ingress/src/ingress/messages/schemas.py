"""Message forms: a content, its recipients and the options of sending, as one flat JSON object."""

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, FailFast, Field, TypeAdapter, model_validator
from pydantic_core import to_json

from ingress.http.json_bounds import count_wrong
from ingress.http.request_body import LocalTimestamp, Timestamp
from spreader.contract.configuration import Distribution
from spreader.contract.content import (
    Content,
    ContentModel,
    DocumentContent,
    ImageContent,
    Template,
    TemplateContent,
    TextContent,
    VideoContent,
    VoiceContent,
)
from spreader.contract.events import GatewayMessageId, OpenOptions
from spreader.contract.ids import PhoneNumber
from spreader.contract.labels import MessageName, Tags

RECIPIENTS_MAX = 100_000
TEMPLATE_BYTES_MAX = 65_536  # so a record with 500 recipients stays far below Kafka's limit of 1 MiB


class Options(OpenOptions):
    """When the deliveries may be sent. A `schedule_at` in the past means now."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    schedule_at: Timestamp | None = None
    schedule_local: LocalTimestamp | None = None
    drip_until: Timestamp | None = None
    expires_at: Timestamp | None = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.contradiction is not None:
            raise ValueError(self.contradiction)
        return self


class Labels(ContentModel):
    name: MessageName | None = Field(
        default=None, description="Your name for the message, such as that of a campaign.", examples=["Winter sale"]
    )
    tags: Tags = Field(default=(), description="Lists of messages can be filtered by tag.", examples=[["sale", "vip"]])


class OpenFields(Labels):
    recipients: Annotated[tuple[PhoneNumber, ...], FailFast(), count_wrong(RECIPIENTS_MAX)] = Field(
        min_length=1,
        max_length=RECIPIENTS_MAX,
        description="Phone numbers in international form, digits only. A repeated number gets one message.",
        examples=[["201001234567", "201001234568"]],
    )
    distribution: Distribution | None = Field(default=None, description="Default: the package's.")
    options: Options = Options()


class ReplyFields(Labels):
    recipient: PhoneNumber = Field(description="The customer who waits for the reply.", examples=["201001234567"])
    conversation_id: str | None = Field(
        default=None,
        max_length=128,
        description="Our id (`conv_…`) continues that conversation, which must be the recipient's. "
        "Any other text is a name of your own.",
        examples=["conv_xyz789"],
    )
    quote: GatewayMessageId | None = Field(
        default=None, description="The gateway's id of the customer's message to quote: it is shown above the reply."
    )


def _check_size(template: Template) -> Template:
    if len(to_json(template.components)) > TEMPLATE_BYTES_MAX:
        raise ValueError(f"the components are larger than {TEMPLATE_BYTES_MAX} bytes")
    return template


BoundedTemplate = Annotated[Template, AfterValidator(_check_size)]


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

_CONTENTS: dict[str, type[Content]] = {
    "text": TextContent,
    "image": ImageContent,
    "voice": VoiceContent,
    "document": DocumentContent,
    "video": VideoContent,
    "template": TemplateContent,
}


def content_of(form: OpenMessage | ReplyMessage) -> Content:
    """The content of a form. It is built without validation, because the form is validated already."""
    kind = _CONTENTS[form.type]
    return kind.model_construct(**{name: getattr(form, name) for name in kind.model_fields})
