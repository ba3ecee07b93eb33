"""ETags: each names a version of a package or of a profile. A caller sends the ETag of the version that the caller has
read. If that version is outdated, the ingress refuses the caller's change."""

import hashlib
from collections.abc import Callable

from fastapi import Request
from pydantic_core import to_json

from ingress.configuration.bodies import profile_body
from ingress.http.problems import CHANGED, ChangedMembers
from ingress.sql.configuration import PackageEntry, ProfileEntry
from spreader.http.problems import Problem

Precondition = Callable[[str, int], None]
"""A function that takes the present ETag and the present version of the package. It raises the problem `changed` if the
caller expects another ETag."""


def package_etag(package: PackageEntry) -> str:
    return f'"{package.version}"'


def profile_etag(package: PackageEntry, profile: ProfileEntry) -> str:
    """A hash of what callers see of the profile. So a change of another profile does not change this ETag."""
    return f'"{hashlib.sha256(to_json(profile_body(package, profile))).hexdigest()[:16]}"'


def unconditional(present: str, version: int) -> None:
    """The precondition of a request without the header `If-Match`. It is always met."""


def precondition(request: Request) -> Precondition:
    """The precondition in the request's header `If-Match` (RFC 9110, section 13.1.1)."""
    header = request.headers.get("if-match")
    if header is None:
        return unconditional
    expected = {tag.strip() for tag in header.split(",")}

    def require(present: str, version: int) -> None:
        if expected.isdisjoint({"*", present}):
            raise Problem(
                CHANGED,
                f"Somebody has changed it since you read it: its ETag is now {present}. Read it again, and repeat your "
                "change if you still want it.",
                headers={"ETag": present},
                more=ChangedMembers(etag=present, version=version),
            )

    return require
