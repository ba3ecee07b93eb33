"""Send attempt: only a repeat of the same request has the same key and goes on where it stopped."""

import itertools
from collections.abc import Callable

from console.core.send_attempt import SendAttempt


def names() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: str(next(numbers))


LIST, TEXT = ("201001234567", "201001234568"), {"text": "Hello"}


def test_the_same_request_continues_with_the_batch_that_failed() -> None:
    attempt = SendAttempt(names())
    attempt.begin(("open", TEXT, LIST))
    first = attempt.key
    attempt.batch_accepted()
    second = attempt.key
    assert first != second
    attempt.begin(("open", dict(TEXT), LIST))
    assert (attempt.accepted_batches, attempt.key) == (1, second)


def test_another_list_or_text_begins_with_its_first_recipient_and_new_keys() -> None:
    for changed in (("open", TEXT, LIST[:1]), ("open", {"text": "Bye"}, LIST), ("reply", TEXT)):
        attempt = SendAttempt(names())
        attempt.begin(("open", TEXT, LIST))
        keys = {attempt.key}
        attempt.batch_accepted()
        attempt.begin(changed)
        assert attempt.accepted_batches == 0
        assert attempt.key not in keys


def test_after_its_end_the_same_request_is_a_new_one() -> None:
    attempt = SendAttempt(names())
    attempt.begin(("reply", TEXT))
    key = attempt.key
    attempt.end()
    attempt.begin(("reply", TEXT))
    assert attempt.key != key
