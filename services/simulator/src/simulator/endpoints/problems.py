"""Problems: the error responses of the simulator's own API and of the simulated gateways."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from simulator.schemas import error_body, field_errors


class RequestProblem(Exception):
    """A refused request of the simulator's own API."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(code, message, **more)


class GatewayErrorResponse(Exception):
    """A refused request of a simulated gateway, with the response in its own format."""

    def __init__(self, response: JSONResponse) -> None:
        super().__init__(response.status_code)
        self.response = response


def install_error_handlers(app: FastAPI) -> None:
    """Add the handlers that turn errors into responses.

    An error of the simulator's own API is `{"error": {"code", "message", "errors"?: [{"pointer", "detail"}]}}`.
    An error of a simulated gateway has the format of that gateway.
    """

    @app.exception_handler(GatewayErrorResponse)
    async def on_refused(_: Request, error: GatewayErrorResponse) -> JSONResponse:
        return error.response

    @app.exception_handler(RequestProblem)
    async def on_problem(_: Request, problem: RequestProblem) -> JSONResponse:
        headers = {"Retry-After": "1"} if problem.status == 503 else None
        return JSONResponse(problem.body, problem.status, headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = field_errors(list(error.errors()), strip=1)
        return JSONResponse(error_body("invalid", "The request is not valid.", errors=errors), 422)

    @app.exception_handler(OSError)
    async def on_disk(_: Request, error: OSError) -> JSONResponse:
        return JSONResponse(error_body("not_kept", f"The simulator cannot write to its data folder: {error}"), 507)
