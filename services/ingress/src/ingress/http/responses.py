"""API response: its status, body and headers, in a form that can be stored before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import Response
from pydantic_core import to_json

from spreader.http.problems import MEDIA_TYPE, Problem

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_problem(cls, problem: Problem) -> "ApiResponse":
        return cls(problem.kind.status, problem.body(), problem.headers)

    def render(self) -> Response:
        media_type = JSON if self.status < 400 else MEDIA_TYPE
        return Response(to_json(self.body), self.status, dict(self.headers), media_type)


def with_optional_key(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without `recipient_key`, if the key does not differ from the recipient."""
    return {name: value for name, value in body.items() if name != "recipient_key" or value is not None}
