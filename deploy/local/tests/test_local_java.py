"""Java's version is read from what it says."""

import pytest

from local.java import parse_version


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "21-ea"', 21),
        ("Unable to locate a Java Runtime.", None),
    ],
)
def test_the_feature_number_is_found(said: str, version: int | None) -> None:
    assert parse_version(said) == version
