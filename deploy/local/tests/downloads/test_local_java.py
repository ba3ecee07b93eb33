"""Java's version is read from the output of `java -version`."""

import pytest

from local.downloads.java import parse_version


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "21-ea"', 21),
        ("Unable to locate a Java Runtime.", None),
    ],
)
def test_the_feature_version_is_parsed(output: str, version: int | None) -> None:
    assert parse_version(output) == version
