"""Problem: a request that cannot be answered as asked, with the reason and the fields that are wrong."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from simulator.wire import field_errors, problem


class Problem(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = problem(code, message, **more)


class Refused(Exception):
    """A call that a gateway refuses, in its own words."""

    def __init__(self, response: JSONResponse) -> None:
        super().__init__(response.status_code)
        self.response = response


def answer_problems(app: FastAPI) -> None:
    """One shape for every error: `{"error": {"code", "message", "errors"?: [{"pointer", "detail"}]}}`.

    The gateways that we stand in for have shapes of their own.
    """

    @app.exception_handler(Refused)
    async def on_refused(_: Request, found: Refused) -> JSONResponse:
        return found.response

    @app.exception_handler(Problem)
    async def on_problem(_: Request, found: Problem) -> JSONResponse:
        headers = {"Retry-After": "1"} if found.status == 503 else None
        return JSONResponse(found.body, found.status, headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, found: RequestValidationError) -> JSONResponse:
        errors = field_errors(list(found.errors()), strip=1)
        return JSONResponse(problem("invalid", "The request is not valid.", errors=errors), 422)

    @app.exception_handler(OSError)
    async def on_disk(_: Request, found: OSError) -> JSONResponse:
        return JSONResponse(problem("not_kept", f"The simulator cannot write to its home: {found}"), 507)
