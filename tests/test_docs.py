"""Docs: the pages say what the code says, and every link leads somewhere."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingress.http.problems import KINDS
from spreader.contract.events import EVENTS, PARTITIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", ".git", "node_modules", ".spreader", ".hypothesis", ".pytest_cache"} & set(page.parts)
)
SOURCES = sorted(
    source
    for folder in ("libs", "services", "deploy")
    for source in (ROOT / folder).rglob("src/**/*.py")
    if source.name != "testing.py"
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"\bSPREADER_[A-Z0-9_]*[A-Z0-9]\b(?!\{|_)")


def checked(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "docs", "--check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_generated_pages_are_what_the_code_says() -> None:
    done = checked()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_named(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text((DOCS / "openapi.json").read_text())
    (tmp_path / "settings.md").write_text("# Settings\n")
    done = checked("--folder", str(tmp_path))
    assert done.returncode == 1
    assert "settings.md is stale" in done.stdout
    assert "asyncapi.json is stale" in done.stdout
    assert "openapi.json is stale" not in done.stdout
    assert (tmp_path / "settings.md").read_text() == "# Settings\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def test_every_topic_stands_in_the_architecture() -> None:
    text = (DOCS / "architecture.md").read_text()
    assert [topic for topic in PARTITIONS if f"`{topic}`" not in text] == []
    assert [kind.__name__ for kind in EVENTS if f"`{kind.__name__}`" not in text] == []


def test_every_setting_that_the_sources_name_is_on_the_page() -> None:
    page = (DOCS / "settings.md").read_text()
    named = {name for source in SOURCES for name in SETTING.findall(source.read_text())}
    assert named
    assert sorted(name for name in named if f"`{name}`" not in page) == []


def test_every_problem_is_explained_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert {code: int(status) for status, code in rows} == {kind.code: kind.status for kind in KINDS.values()}


def test_the_described_headers_are_those_on_the_wire() -> None:
    described = json.loads((DOCS / "asyncapi.json").read_text())["components"]["messages"]
    for kind in EVENTS:
        golden = json.loads((ROOT / f"libs/common/tests/golden/{kind.type}.json").read_text())
        headers = described[kind.__name__]["headers"]
        assert set(headers["required"]) <= golden["headers"].keys() <= headers["properties"].keys()
        assert headers["properties"]["ce_type"]["const"] == golden["headers"]["ce_type"]


def test_every_decision_is_listed_and_has_its_quotable_line() -> None:
    decisions = sorted((DOCS / "decisions").glob("0*.md"))
    listed = (DOCS / "decisions/README.md").read_text()
    assert decisions
    for decision in decisions:
        text = decision.read_text()
        assert f"({decision.name})" in listed
        assert re.search(r"^> .+", text, re.MULTILINE), f"{decision.name} has no quotable line"
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences"))


def test_services_that_the_flow_names_know_the_event() -> None:
    """A publisher or reader whose sources never name the event is none: the table of topics would lie."""
    operations = json.loads((DOCS / "asyncapi.json").read_text())["operations"]
    assert operations
    for name, operation in operations.items():
        service, event = name.split("-")[0], operation["messages"][0]["$ref"].rsplit("/", 1)[-1]
        sources = (ROOT / "services" / service / "src").rglob("*.py")
        assert any(event in source.read_text() for source in sources if source.name != "testing.py"), name


def links(page: Path) -> Iterator[str]:
    """The links of a page to files of this tree, outside its code."""
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", link):
            yield link


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not heading or heading in anchors(target)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as they are named in links."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
