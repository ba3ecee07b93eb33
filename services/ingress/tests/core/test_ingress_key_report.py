"""Key report: a key may be taken out when nothing that is still read was sealed with it."""

import pytest

from ingress.core.key_report import KeyReport, Place, SealedCopy


def report(*copies: tuple[Place, str | None], key_ids: tuple[str, ...] = ("new", "old")) -> KeyReport:
    made = KeyReport(key_ids)
    made.add(SealedCopy(place, f"prf_{number}", key) for number, (place, key) in enumerate(copies))
    return made


@pytest.mark.parametrize("place", ["stored", "waiting", "published"])
def test_a_key_is_kept_while_anything_that_is_read_needs_it(place: Place) -> None:
    shown = report(("stored", "new"), (place, "old"))
    assert not shown.is_finished
    assert any(line.startswith("Keep the key old") for line in shown.lines())
    assert not any("may take out" in line for line in shown.lines())


def test_a_key_may_be_taken_out_while_only_superseded_records_have_it() -> None:
    shown = report(("stored", "new"), ("published", "new"), ("superseded", "old"), ("superseded", "old"))
    assert shown.is_finished
    newest, old, _, advice = shown.lines()
    assert newest.startswith("key new (newest): 1 in ingress.profile, 0 in ingress.outbox, 1 in the topic")
    assert old.endswith("2 in superseded records of the topic")
    assert advice.startswith("You may take out the key old. Nothing reads the superseded records")
    assert report(("stored", "new")).lines()[-1] == "You may take out the key old: nothing is sealed with it."


def test_profiles_that_no_key_opens_are_named() -> None:
    shown = report(("stored", "new"), ("stored", None), ("published", None))
    assert not shown.is_finished
    assert "unknown keys: 1 in ingress.profile" in shown.lines()[2]
    assert "2 profiles (prf_1, prf_2)" in shown.lines()[-1]
    assert "Add the key that sealed them to SPREADER_SECRET_KEYS again" in shown.lines()[-1]


def test_a_single_key_stays() -> None:
    shown = report(("stored", "new"), key_ids=("new",))
    assert shown.is_finished
    assert shown.lines()[-1] == "There is only one key, so no key can be taken out."
