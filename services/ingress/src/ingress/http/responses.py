"""Answer: what an endpoint says, before it is bytes on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import Response
from pydantic_core import to_json

from spreader.http.problems import MEDIA_TYPE, Problem

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        media_type = JSON if self.status < 400 else MEDIA_TYPE
        return Response(to_json(self.body), self.status, dict(self.headers), media_type)


def of_problem(problem: Problem) -> Answer:
    return Answer(problem.kind.status, problem.body(), problem.headers)
