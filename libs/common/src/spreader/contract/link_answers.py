"""Link answers: what the sender answers when the ingress asks it to link an account, to log it out, or to set its
webhook."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spreader.contract.events import SessionState

LinkMethod = Literal["qr", "code"]


class LinkProgressResponse(BaseModel):
    """What the gateway says of a session that somebody links.

    `refused`: the gateway will not link it, and `detail` says why. `qr_png`: an image for the phone's camera, in
    base64. `code`: a text to enter on the phone. Both are secret, because a person who has one can link an account.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    session: SessionState | None
    detail: str
    refused: bool = False
    qr_png: str | None = Field(default=None, repr=False)
    code: str | None = Field(default=None, repr=False)


class WebhookStep(BaseModel):
    """One step of setting a webhook. `detail` says what happened, or why the gateway cannot be asked."""

    name: Annotated[str, Field(examples=["set"])]
    ok: bool
    detail: Annotated[str, Field(examples=["the gateway has the new address"])]


class WebhookSetResponse(BaseModel):
    """`call_due`: whether a call of the webhook must follow at once. If not, `no_call` says why."""

    set: bool
    steps: list[WebhookStep]
    call_due: bool
    no_call: str
