"""Cloud API endpoints: the part of Meta's Graph API that a sender uses."""

import hashlib
import math
import secrets
from typing import Annotated, Any, assert_never

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.core.failures import CLOUD_API_FAILURES
from simulator.core.faults import Refusal
from simulator.dialects.cloud_forms import MESSAGE, CloudMessage, MarkRead, first_error
from simulator.endpoints.disconnect import until_disconnected
from simulator.endpoints.problems import GatewayErrorResponse
from simulator.gateway import IncomingSend, MessageAccepted, NoAnswer, SendAnswer, SimulatedGateway
from simulator.metrics import SENDS
from simulator.uploads import MediaUploads
from simulator.whatsapp import WhatsAppNetwork
from spreader.clock import Clock

MB = 1024 * 1024
SIZE_LIMITS: dict[str, int] = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * MB),
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"), 16 * MB),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * MB),
}
"""The media types that Meta accepts as image, audio or video, with their size limits. Other types are documents."""
DOCUMENT_BYTES_MAX = 100 * MB
CHUNK_BYTES = 256 * 1024
FIELDS = ("id", "display_phone_number", "verified_name", "quality_rating")
MORE_FIELDS = (*FIELDS, "code_verification_status", "name_status", "status", "platform_type", "throughput",
               "whatsapp_business_manager_messaging_limit")  # fmt: skip

Version = Annotated[str, Path(pattern=r"^v[0-9]{1,3}\.[0-9]$")]


def cloud_api_routes(
    gateway: SimulatedGateway, accounts: AccountRegistry, whatsapp: WhatsAppNetwork, uploads: MediaUploads, clock: Clock
) -> APIRouter:
    routes = APIRouter(prefix="/cloud/{version}", include_in_schema=False)

    @routes.post("/{number}/messages")
    async def send(version: Version, number: str, request: Request) -> JSONResponse:
        account = _account(accounts, number, request)
        raw = await request.body()
        if b'"status"' in raw and (read := _mark_read(raw)):
            return JSONResponse({"success": read.status == "read"})
        message = _message(raw)
        incoming = IncomingSend(
            message.biz_opaque_callback_data,
            message.recipient,
            message.content(_files(uploads, account, message, clock)),
            message.context and message.context.message_id,
        )
        return _answer(await gateway.send(account, incoming, lambda: until_disconnected(request)), message)

    @routes.post("/{number}/media")
    async def upload(version: Version, number: str, request: Request) -> JSONResponse:
        account = _account(accounts, number, request)
        async with request.form() as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise refused("100", "The parameter file is required.")
            if form.get("messaging_product") != "whatsapp":
                raise refused("100", "(#100) The parameter messaging_product is required.")
            media_type = str(form.get("type") or file.content_type or "")
            sha256, size_bytes = await _digest_and_size(file)
        if "/" not in media_type or not 0 < size_bytes <= SIZE_LIMITS.get(media_type, DOCUMENT_BYTES_MAX):
            raise refused("131053", f"A file of the type {media_type!r} and {size_bytes} bytes cannot be uploaded.")
        upload = uploads.add(account.account, media_type, sha256, size_bytes, clock())
        return JSONResponse({"id": upload.media_id})

    @routes.get("/{number}")
    async def number_info(
        version: Version, number: str, request: Request, fields: Annotated[str | None, Query()] = None
    ) -> JSONResponse:
        account = _account(accounts, number, request)
        names = tuple(fields.split(",")) if fields else FIELDS
        if unknown := [name for name in names if name not in MORE_FIELDS]:
            raise refused("100", f"(#100) Tried accessing nonexisting field ({unknown[0]})")
        info = _info(account, whatsapp)
        return JSONResponse({name: info[name] for name in dict.fromkeys(("id", *names))})

    return routes


def failed(code: str, details: str | None = None, retry_after_seconds: float | None = None) -> JSONResponse:
    """An error in Meta's form. Errors of the transport have no code."""
    failure = CLOUD_API_FAILURES[code]
    headers = {} if retry_after_seconds is None else {"Retry-After": str(math.ceil(retry_after_seconds))}
    if failure.transport_only:
        return JSONResponse(
            {"error": {"message": failure.title, "type": "GraphMethodException"}}, failure.status, headers
        )
    error: dict[str, Any] = {
        "message": f"(#{code}) {failure.title}",
        "type": "OAuthException",
        "code": int(code),
        "error_data": {"messaging_product": "whatsapp", "details": details or f"{failure.title}."},
        "fbtrace_id": "A" + secrets.token_urlsafe(16),
    }
    return JSONResponse({"error": error}, failure.status, headers)


def refused(code: str, details: str) -> GatewayErrorResponse:
    return GatewayErrorResponse(failed(code, details))


def _account(accounts: AccountRegistry, number: str, request: Request) -> GatewayAccount:
    """The account, if the token is valid for it. The token is checked before anything else, as Meta does."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    account = accounts.get(AccountKey("cloud_api", number))
    if account is not None and scheme == "Bearer" and is_token_of(token, account):
        return account
    others = (other for other in accounts.all() if other.driver == "cloud_api")
    if scheme != "Bearer" or not any(is_token_of(token, other) for other in others):
        raise refused("190", "Invalid OAuth access token - Cannot parse access token")
    details = f"Object with ID '{number}' does not exist, cannot be loaded due to missing permissions"
    raise refused("100", f"Unsupported request. {details}")


def is_token_of(token: str, account: GatewayAccount) -> bool:
    return secrets.compare_digest(token.encode(), account.credentials["access_token"].encode())


def _mark_read(raw: bytes) -> MarkRead | None:
    try:
        return MarkRead.model_validate_json(raw)
    except ValidationError:
        return None


def _message(raw: bytes) -> CloudMessage:
    try:
        return MESSAGE.validate_json(raw)
    except ValidationError as error:
        raise refused(*first_error(error)) from None


def _files(uploads: MediaUploads, account: GatewayAccount, message: CloudMessage, clock: Clock) -> dict[str, str]:
    """The id and the digest of the uploaded file that the message refers to. Empty: it refers to none."""
    if message.file is None or message.file.id is None:
        return {}
    upload = uploads.find(account.account, message.file.id, clock())
    if upload is None:
        raise refused("131053", f"The media id {message.file.id} is not one of this number's, or has expired.")
    kind = getattr(message, "type", "")
    fits = upload.type not in SIZE_LIMITS if kind == "document" else upload.type.startswith(f"{kind}/")
    if not fits and not (kind == "document" and upload.type.startswith("image/")):
        raise refused("131053", f"Unsupported {kind} mime type {upload.type}.")
    return {upload.media_id: f"sha256:{upload.sha256}"}


async def _digest_and_size(file: UploadFile) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := await file.read(CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes


def _info(account: GatewayAccount, whatsapp: WhatsAppNetwork) -> dict[str, Any]:
    return {
        "id": account.account,
        "display_phone_number": f"+{account.phone}",
        "verified_name": f"Business {account.account[-4:]}",
        "quality_rating": whatsapp.quality(account),
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
        "status": "BANNED" if whatsapp.state(account).disabled else "CONNECTED",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
    }


def _answer(answer: SendAnswer, message: CloudMessage) -> JSONResponse:
    match answer:
        case MessageAccepted(sent):
            SENDS.labels("accepted").inc()
            item: dict[str, str] = {"id": sent.message_id}
            if sent.content.type == "template":
                item["message_status"] = "accepted"
            contact = {"input": message.to, "wa_id": sent.recipient}
            return JSONResponse({"messaging_product": "whatsapp", "contacts": [contact], "messages": [item]})
        case Refusal(code, retry_after_seconds):
            SENDS.labels(code).inc()
            return failed(code, retry_after_seconds=retry_after_seconds)
        case NoAnswer():
            SENDS.labels("none").inc()
            return failed("504")
        case _:
            assert_never(answer)
