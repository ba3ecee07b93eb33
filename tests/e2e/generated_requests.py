"""Generated requests: what schemathesis makes of an OpenAPI document. The same document gives the same requests."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SEED = 17
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
REFUSED = frozenset({400, 413, 422})
"""The statuses of a request that is wrong in itself. A missing package or a conflict is another matter."""
KEY_REUSED = "key-reused"
"""The code of a refusal that says nothing about the request alone: an earlier request has the same key."""


@dataclass
class Outcome:
    """What the requests showed. `failures`: answers that break a check. `refused`: requests that the document allows
    and the server refuses."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    failures: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def add(self, case: Case[Any], is_valid: bool, response: Any) -> None:
        self.statuses[(case.operation.label, response.status_code)] += 1
        shown = f"{case.method} {case.formatted_path} {case.query} {str(case.body)[:300]} -> {response.status_code}"
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failures:
            self.failures += [f"{shown}: {failure.title}: {failure.message}" for failure in failures.exceptions]
        if is_valid and response.status_code in REFUSED and response.json()["code"] != KEY_REUSED:
            self.refused.append(f"{shown}: {response.json()['detail']}")


@dataclass(frozen=True)
class GeneratedRequests:
    """`valid` and `invalid`: how many requests of an operation the document allows, and how many it does not.

    `known`: ids of things that exist, by the names of path parameters. `left_out`: paths that are not called.
    """

    document: Mapping[str, Any]
    known: Mapping[str, str]
    valid: int
    invalid: int
    left_out: frozenset[str] = frozenset()

    def cases(self) -> Iterator[tuple[Case[Any], bool]]:
        """Each request, and whether the document allows it. Requests that delete something come last."""
        schema = schemathesis.openapi.from_dict(dict(self.document))
        found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
        for operation in sorted(found, key=lambda each: each.method.upper() == "DELETE"):
            if operation.path not in self.left_out:
                for case in self._generate(operation, GenerationMode.POSITIVE, self.valid):
                    yield case, True
                for case in self._generate(operation, GenerationMode.NEGATIVE, self.invalid):
                    yield case, False

    def _generate(self, operation: Any, mode: GenerationMode, count: int) -> list[Case[Any]]:
        found: list[Case[Any]] = []
        named = {name: value for name, value in self.known.items() if f"{{{name}}}" in operation.path}

        @hypothesis.seed(SEED)
        @hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=SLOW,
        )
        @hypothesis.given(operation.as_strategy(generation_mode=mode, path_parameters=named or None))
        def collect(case: Case[Any]) -> None:
            if mode is GenerationMode.POSITIVE and case.query:
                case.query.pop("cursor", None)  # only an earlier answer has a valid one
            if not names_an_address(case):
                found.append(case)

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong in a request without parameters and body
            collect()
        return found


def names_an_address(case: Case[Any]) -> bool:
    """Whether the service would call an address that the request names. Such a request is left out: the tests call
    nothing but this machine."""
    return isinstance(case.body, dict | list) and "://" in json.dumps(case.body, default=str)


def send(generated: GeneratedRequests, address: str, key: str) -> Outcome:
    """Send the requests to a service on this machine, one after the other."""
    assert address.startswith("http://127.0.0.1:")
    outcome = Outcome()
    with requests.Session() as session:
        for case, is_valid in generated.cases():
            headers = {"Authorization": f"Bearer {key}", "Prefer": "respond-async"}
            outcome.add(case, is_valid, case.call(address, session, headers=headers))
    return outcome
