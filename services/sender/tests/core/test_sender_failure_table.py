"""Failure table: every row, and what happens to the delivery in each lane."""

from datetime import timedelta
from random import Random

import pytest

from sender.core import failure_table
from sender.core.decision import (
    RECEIPT_WAIT,
    AskGateway,
    AttemptState,
    Decision,
    Defer,
    Fail,
    RetryHere,
    ReturnToRouter,
    decide,
)
from sender.core.gateway_answer import GatewayAnswer, SendInDoubt, SendRefused
from sender.core.retry_policy import POLICIES, RefusalClass
from spreader.contract.events import Lane
from spreader.text.redaction import redact

NEVER = (Fail, Fail)
ELSEWHERE = (ReturnToRouter, ReturnToRouter)
LATER = (Defer, RetryHere)
PATIENT = (Defer, RetryHere)

# code, HTTP status, class, first decision (open, reply), tries (open, reply), last decision (open, reply)
Row = tuple[int, int, RefusalClass, tuple[type, type], tuple[int, int], tuple[type, type]]
CLOUD: list[Row] = [
    *((code, 401, "credentials", ELSEWHERE, (1, 1), ELSEWHERE) for code in (0, 190)),
    *((code, 403, "credentials", ELSEWHERE, (1, 1), ELSEWHERE) for code in (3, 10, 200, 250, 299, 131005)),
    *((code, 400, "transient", LATER, (4, 5), (ReturnToRouter, Fail)) for code in (1, 2, 131000, 131016, 135000)),
    *((code, 400, "throttled", PATIENT, (8, 5), NEVER) for code in (4, 613, 80007, 133016)),
    (130429, 400, "throttled", PATIENT, (8, 8), NEVER),
    *((code, 500, "throttled", PATIENT, (8, 8), NEVER) for code in (131057, 2494100)),
    (131048, 400, "restricted", (ReturnToRouter, RetryHere), (1, 5), (ReturnToRouter, Fail)),
    (131064, 400, "restricted", (ReturnToRouter, RetryHere), (1, 5), (ReturnToRouter, Fail)),
    (131056, 400, "pair", LATER, (5, 5), NEVER),
    (131049, 400, "capped", (Defer, Fail), (2, 1), NEVER),
    (130472, 400, "capped", NEVER, (1, 1), NEVER),
    (131050, 400, "opted_out", NEVER, (1, 1), NEVER),
    (131047, 400, "window", NEVER, (1, 1), NEVER),
    *((code, 400, "recipient", NEVER, (1, 1), NEVER) for code in (131026, 131021, 131030, 131062, 137000)),
    *((code, 403, "account", ELSEWHERE, (1, 1), ELSEWHERE) for code in (131031, 368)),
    (130497, 403, "transient", ELSEWHERE, (1, 1), ELSEWHERE),
    *((code, 400, "credentials", ELSEWHERE, (1, 1), ELSEWHERE) for code in (131042, 131044)),
    *((code, 400, "profile", ELSEWHERE, (1, 1), ELSEWHERE) for code in (131045, 133010, 131037, 33)),
    *((code, 400, "content", NEVER, (1, 1), NEVER) for code in (131051, 131008, 131009, 100)),
    (131053, 400, "content", LATER, (2, 2), NEVER),
    *((code, 400, "content", NEVER, (1, 1), NEVER) for code in (131020, 131041, *range(131200, 131300))),
    *((code, 400, "template", NEVER, (1, 1), NEVER) for code in (132000, 132001, 132005, 132007, 132008, 132012)),
    *((code, 400, "template", NEVER, (1, 1), NEVER) for code in (132015, 132016, 132068, 132999, 131063)),
    (132069, 400, "throttled", PATIENT, (3, 3), NEVER),
]
WAHA = [
    (401, "Unauthorized", "credentials"),
    (403, "Forbidden", "credentials"),
    (404, "Session does not exist", "profile"),
    (
        404,
        "We didn't find a session with name 'default'. Please start it first by using POST /api/sessions/default/start",
        "session",
    ),
    (422, "WAHA Core support only 'default' session. If you want to run more then one WhatsApp account", "profile"),
    (413, "request entity too large", "content"),
    (500, "request entity too large", "content"),
    (500, "2 UNKNOWN: server returned error 400", "session"),
    (500, "2 UNKNOWN: server returned error 404", "transient"),
    (500, "2 UNKNOWN: server returned error 429", "throttled"),
    (500, "2 UNKNOWN: server returned error 463", "restricted"),
    (500, "2 UNKNOWN: server returned error 479", "transient"),
    (500, "2 UNKNOWN: no LID found for 201001234567@s.whatsapp.net from server", "recipient"),
    (500, "2 UNKNOWN: websocket not connected", "session"),
    (500, "2 UNKNOWN: the store doesn't contain a device JID", "session"),
    (500, "2 UNKNOWN: failed to get device list: unknown user server", "transient"),
    (500, "2 UNKNOWN: failed to get device list: info query timed out", "transient"),
    (500, "14 UNAVAILABLE: No connection established. Last error: null", "gateway"),
    (500, "Connection Closed", "session"),
    (500, "2 UNKNOWN: timed out waiting for message send response", "ambiguous"),
    (500, "Session closed. Most likely the page has been closed.", "ambiguous"),
    (422, "Session status is not as expected. Try again later or restart the session (status: FAILED)", "session"),
    (422, "The method is not implemented by the engine", "content"),
    (400, "text should not be empty", "content"),
    (429, "Too Many Requests", "throttled"),
    (500, "Your account has been restricted: 463", "restricted"),
    (500, "SMAX_INVALID 479", "transient"),
    (500, "number is not on WhatsApp", "recipient"),
    (500, "Evaluation failed", "ambiguous"),
    (502, "", "ambiguous"),
    (504, "", "ambiguous"),
]
EVOLUTION = [
    (401, "Unauthorized", "credentials"),
    (403, "Forbidden", "credentials"),
    (404, 'The "x" instance does not exist', "profile"),
    (429, "Too Many Requests", "throttled"),
    (503, "This Evolution API instance is not activated. Open http://x/manager/login to activate", "credentials"),
    (503, "Service Unavailable", "ambiguous"),
    (400, '[{"jid": "1@s.whatsapp.net", "exists": false, "number": "1"}]', "recipient"),
    (400, '["Error: Connection Closed"]', "session"),
    (400, '["Owned media must be a url or base64"]', "content"),
    (400, '["instance requires property \\"text\\""]', "content"),
    (400, '["Error: 463"]', "restricted"),
    (400, '["Error: rate-overlimit"]', "throttled"),
    (400, '["SessionError: No sessions"]', "session"),
    (500, "Connection Closed", "session"),
    (500, "Cannot read properties of undefined (reading 'textMessage')", "session"),
    (500, "Cannot read properties of undefined (reading 'onWhatsApp')", "session"),
    (500, "Cannot read properties of undefined (reading 'waUploadToServer')", "session"),
    (500, "Cannot read properties of undefined (reading 'find')", "transient"),
    (500, "Timed Out", "transient"),
    (500, '["Error: Media upload failed on all hosts"]', "transient"),
    (400, '["Error: Media upload failed on all hosts"]', "transient"),
    (500, '["Error: Input buffer contains unsupported image format"]', "content"),
    (413, "request entity too large", "content"),
    (502, "Bad Gateway", "ambiguous"),
    (500, "", "ambiguous"),
    (400, '["Error: Timed Out"]', "ambiguous"),
    (400, '["Error: something new"]', "ambiguous"),
    (500, "Internal Server Error", "ambiguous"),
]


def decide_on(answer: GatewayAnswer, lane: Lane, tries: int = 1, profiles: int = 1) -> Decision:
    return decide(answer, AttemptState(lane, tries, profiles), Random(1))


def tries_of(answer: GatewayAnswer, lane: Lane) -> int:
    """How many tries it gets on one profile."""
    return next(tries for tries in range(1, 99) if not isinstance(decide_on(answer, lane, tries), Defer | RetryHere))


@pytest.mark.parametrize("row", CLOUD, ids=lambda row: str(row[0]))
def test_each_cloud_api_code_has_its_class_and_its_policy_in_both_lanes(row: Row) -> None:
    code, status, failure, first, tries, then = row
    answer = failure_table.cloud_api_answer(status, code, "words", None)
    assert isinstance(answer, SendRefused)
    assert (answer.failure, answer.code) == (failure, str(code))
    assert (type(decide_on(answer, "open")), type(decide_on(answer, "reply"))) == first
    assert (tries_of(answer, "open"), tries_of(answer, "reply")) == tries
    assert (type(decide_on(answer, "open", 99)), type(decide_on(answer, "reply", 99))) == then
    assert (type(decide_on(answer, "open", 99, 3)), type(decide_on(answer, "reply", 99, 3))) == NEVER


def test_the_table_above_has_every_cloud_api_code() -> None:
    ranges = {*range(200, 300), *range(132000, 133000)}
    assert {row[0] for row in CLOUD} | ranges == set(failure_table.CLOUD_API)


def test_an_unknown_phone_number_id_is_not_blamed_on_the_message() -> None:
    answer = failure_table.cloud_api_answer(400, 100, "Unsupported post request", None, 33)
    assert isinstance(answer, SendRefused)
    assert (answer.failure, answer.code) == ("profile", "100/33")


@pytest.mark.parametrize(
    ("status", "failure"),
    [(400, "transient"), (401, "credentials"), (403, "transient"), (429, "throttled")],
)
def test_an_unknown_code_of_meta_is_judged_by_its_status(status: int, failure: str) -> None:
    answer = failure_table.cloud_api_answer(status, 987_654, "new", None)
    assert isinstance(answer, SendRefused)
    assert (answer.failure, answer.code) == (failure, "987654")


@pytest.mark.parametrize("status", [200, 201, 302])
def test_an_unknown_code_in_an_answer_that_says_it_succeeded_is_a_doubt(status: int) -> None:
    answer = failure_table.cloud_api_answer(status, 987_654, "new", None)
    assert isinstance(answer, SendInDoubt)
    assert "987654" in answer.reason


@pytest.mark.parametrize("status", [500, 503, 599])
@pytest.mark.parametrize("code", [1, 2, 131000, 131016, 135000, 987_654])
def test_a_vague_server_error_of_meta_is_a_doubt(status: int, code: int) -> None:
    answer = failure_table.cloud_api_answer(status, code, "Something went wrong", None)
    assert isinstance(answer, SendInDoubt)
    assert (answer.can_ask, f"({code}: Something went wrong)" in answer.reason) == (False, True)
    assert decide_on(answer, "open") == AskGateway(RECEIPT_WAIT["open"])


@pytest.mark.parametrize(
    ("code", "failure"),
    [(3, "credentials"), (131005, "credentials"), (131045, "profile"), (131057, "throttled"), (130497, "transient")],
)
def test_a_server_error_of_meta_with_a_definite_code_was_not_sent(code: int, failure: str) -> None:
    answer = failure_table.cloud_api_answer(500, code, "no", None)
    assert isinstance(answer, SendRefused)
    assert answer.failure == failure


def test_an_answer_not_in_metas_form_leaves_the_send_in_doubt() -> None:
    assert isinstance(failure_table.cloud_api_answer(502, None, "", None), SendInDoubt)
    assert isinstance(failure_table.cloud_api_answer(200, None, "", None), SendInDoubt)
    assert isinstance(failure_table.cloud_api_answer(429, None, "", timedelta(seconds=7)), SendRefused)


def waits(code: int, lane: Lane) -> list[tuple[float, float]]:
    """The shortest and the longest wait after each try, in seconds."""
    answer = failure_table.cloud_api_answer(400, code, "", None)
    found: list[tuple[float, float]] = []
    for tries in range(1, tries_of(answer, lane)):
        drawn: list[float] = []
        for seed in range(60):
            decision = decide(answer, AttemptState(lane, tries, 1), Random(seed))
            assert isinstance(decision, Defer | RetryHere)
            drawn.append(decision.after.total_seconds())
        found.append((min(drawn), max(drawn)))
    return found


@pytest.mark.parametrize(
    ("code", "lane", "least", "most"),
    [
        (131056, "open", [6, 24, 96, 384], [7.5, 30, 120, 480]),
        (131056, "reply", [1, 4, 16, 64], [1.25, 5, 20, 80]),
        (130429, "open", [1, 4, 5, 5, 5, 5, 5], [1.25, 5, 6.25, 6.25, 6.25, 6.25, 6.25]),
        (131057, "reply", [60] + [120] * 6, [75] + [150] * 6),
        (131049, "open", [86_400], [108_000]),
        (132069, "open", [3600, 3600], [4500, 4500]),
        (131053, "open", [2], [2.5]),
    ],
)
def test_a_code_with_its_own_wait_is_obeyed(code: int, lane: Lane, least: list[float], most: list[float]) -> None:
    found = waits(code, lane)
    assert len(found) == len(least)
    for (shortest, longest), low, high in zip(found, least, most, strict=True):
        assert low <= shortest <= longest <= high


@pytest.mark.parametrize(
    ("patterns", "rows"), [(failure_table.WAHA, WAHA), (failure_table.EVOLUTION, EVOLUTION)], ids=["waha", "evolution"]
)
def test_each_error_of_a_linked_device_has_its_class(
    patterns: tuple[failure_table.ErrorPattern, ...], rows: list[tuple[int, str, str]]
) -> None:
    found = [failure_table.answer_by_pattern(patterns, status, text, None) for status, text, _ in rows]
    classes = [answer.failure if isinstance(answer, SendRefused) else "ambiguous" for answer in found]
    assert classes == [failure for *_, failure in rows]
    assert all(isinstance(answer, SendRefused) or not answer.can_ask for answer in found)


@pytest.mark.parametrize(
    ("failure", "opened", "reply"),
    [
        ("session", (Defer, 4, ReturnToRouter), (RetryHere, 4, Fail)),
        ("restricted", (ReturnToRouter, 1, ReturnToRouter), (RetryHere, 5, Fail)),
        ("gateway", (Defer, 6, ReturnToRouter), (RetryHere, 90, Fail)),
    ],
)
def test_a_session_waits_half_a_minute_and_a_restriction_leaves_replies_alone(
    failure: RefusalClass, opened: tuple[type, int, type], reply: tuple[type, int, type]
) -> None:
    answer = SendRefused(failure, "no")
    lanes: list[tuple[Lane, tuple[type, int, type]]] = [("open", opened), ("reply", reply)]
    for lane, (first, tries, then) in lanes:
        assert type(decide_on(answer, lane)) is first
        assert tries_of(answer, lane) == tries
        assert type(decide_on(answer, lane, 99)) is then


def test_every_class_has_a_policy_in_both_lanes() -> None:
    assert all(set(courses) == {"open", "reply"} for courses in POLICIES.values())


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("to 201001234567 refused", "to …67 refused"),
        ("+201001234567@c.us", "…67@c.us"),
        ("Bearer EAAGm0PX4ZCpsBAKZCYZBLjZCZA9ZB is bad", "Bearer … is bad"),
        ("two\n lines", "two lines"),
        ("x " * 400, ("x " * 400)[:300]),
        (None, "None"),
    ],
)
def test_a_redacted_text_contains_no_number_and_no_key(text: str, redacted: str) -> None:
    assert redact(text) == redacted
