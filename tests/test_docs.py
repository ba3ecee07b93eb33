"""Docs: the pages say what the code says, and every link leads somewhere."""

import functools
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docs.flow import FLOWS
from docs.settings import SECTIONS
from docs.sources import Sources, routes_called, sources
from pydantic_settings import BaseSettings

from ingress.http.problems import KINDS
from spreader.contract.events import (
    EVENTS,
    PARTITIONS,
    Alert,
    DeliveryReleased,
    Event,
    MessageRouted,
    ProfileState,
    ReplySettled,
)
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.table import Table
from stats.api.problems import KINDS as STATS_KINDS

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
WORDS_MAX = 1_100
LOOKED_UP = {"settings.md", "glossary.md", "alerts.md", "retention.md"}
MODULE = re.compile(r"`((?:services|libs)/[\w/.-]+\.py)`")
FILE = re.compile(r"`([\w/.-]+\.py)`")
CITED = re.compile(
    r"(?<![\w/.-])(docs(?:/[\w.-]+)+|[A-Z][A-Z-]+\.md)(?![\w/])"
    r"|\b([A-Z]{4,}(?:-[A-Z]+)? section \d+)|\bdecisions? (\d{4})\b"
)
UNCHECKED = {"tests/test_tidy.py", "uv.lock"}
"""Files whose samples name pages that do not exist."""
NAMED_TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
UNSHOWN = ("| 8090 |", "| 9092, 5432 |")
"""The ports on the page of security that Spreader does not protect."""
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


def test_every_topic_is_on_the_page_of_topics() -> None:
    text = (DOCS / "topics.md").read_text()
    assert [topic for topic in PARTITIONS if f"`{topic}`" not in text] == []
    assert [kind.__name__ for kind in EVENTS if f"`{kind.__name__}`" not in text] == []


def test_every_setting_that_the_sources_name_is_on_the_page() -> None:
    page = (DOCS / "settings.md").read_text()
    named = {name for source in SOURCES for name in SETTING.findall(source.read_text())}
    assert named
    assert sorted(name for name in named if f"`{name}`" not in page) == []


def test_every_problem_is_explained_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", (DOCS / "problems.md").read_text(), re.MULTILINE)
    kinds = (*KINDS.values(), *STATS_KINDS)
    assert {code: int(status) for status, code in rows} == {kind.code: kind.status for kind in kinds}


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


def test_every_module_that_the_walks_name_exists() -> None:
    text = (DOCS / "walks.md").read_text()
    named = MODULE.findall(text)
    assert {"ingress", "router", "pacer", "sender", "stats"} <= {path.split("/")[1] for path in named}
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_every_python_file_that_a_page_names_exists() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = ["/" + path for path in listed.splitlines()]
    named = {(page.name, name) for page in DOCS.rglob("*.md") for name in FILE.findall(page.read_text())}
    assert named
    assert [each for each in named if not any(path.endswith("/" + each[1]) for path in paths)] == []


def test_a_page_is_read_in_five_minutes() -> None:
    """About 1,100 words. Pages for looking things up may be longer."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    long = [page.name for page in pages if len(page.read_text().split()) > WORDS_MAX and page.name not in LOOKED_UP]
    assert long == [], f"split these pages: {long}"


@pytest.mark.parametrize("service", ["ingress", "router", "pacer", "sender", "stats"])
def test_a_service_reads_what_its_assembly_gives_to_consumers_and_tables(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The syntax rule and the running parts agree; ingress also reads the callbacks, which have no such reader."""
    given: list[type[Event]] = []
    for kind, parameter in ((GuardedConsumer, "accepts"), (Table, "kind")):
        monkeypatch.setattr(kind, "__init__", recorded(kind.__init__, parameter, given))
    build: Callable[[BaseSettings], object] = importlib.import_module(f"{service}.app").build
    build(SECTIONS[service](api_key="not used: nothing is started"))
    callbacks = {MessageRouted, ReplySettled} if service == "ingress" else set[type[Event]]()
    assert (
        sources(service).read() == {*given, *callbacks} == {kind for kind in EVENTS if service in FLOWS[kind].readers}
    )


def test_a_published_event_is_one_that_is_constructed() -> None:
    code = "def f(): return [DeliveryReleased(a=1), events.Alert(b=2), ProfileState.model_construct(c=3)]"
    assert Sources.of("pacer", {"a.py": code}).published() == {DeliveryReleased, Alert, ProfileState}
    assert Sources.of("pacer", {"a.py": "x = DeliveryReleased.model_validate_json(row.asked)"}).published() == set()


@pytest.mark.parametrize(
    "code",
    [
        "GuardedConsumer(GROUP, on_batch, (Alert,), bus)",
        "GuardedConsumer(GROUP, on_batch, accepts=(Alert,), bus=bus)",
        "Table(settings, Alert, on_change)",
        "Table[Alert](settings, Alert)",
        "KINDS: dict[str, type] = {'open': Alert}\ndef f(lane):\n    a, kind = 1, KINDS[lane]\n"
        "    return GuardedConsumer(GROUP, on_batch, (kind,), bus)",
        "class C:\n    def one(self, kind, bus):\n        return GuardedConsumer(GROUP, on_batch, (kind,), bus)\n"
        "    def all(self, bus):\n        return [self.one(Alert, bus)]",
    ],
)
def test_a_read_event_is_one_given_to_a_consumer_or_a_table(code: str) -> None:
    assert Sources.of("stats", {"a.py": code}).read() == {Alert}


def test_a_topic_that_is_read_without_a_consumer_counts_for_all_its_events() -> None:
    code = "place = TopicPartition(Callback.topic, 3)"
    assert Sources.of("ingress", {"a.py": code}).read() == {MessageRouted, ReplySettled}


def test_code_that_cannot_be_followed_is_an_error() -> None:
    with pytest.raises(LookupError, match="cannot tell which events"):
        Sources.of("stats", {"a.py": "Table(settings, kinds[0])"}).read()
    caller = Sources.of("ingress", {"a.py": "async def f(self): return await self.pacer.ask('/gone')"})
    with pytest.raises(LookupError, match="does not serve it"):
        routes_called(caller, sources("pacer"))


def test_a_called_service_is_one_with_an_address_and_a_client() -> None:
    settings = "class S:\n    pacer_url: str = 'http://…'\n    simulator_url: str = 'http://…'"
    caller = Sources.of("ingress", {"settings.py": settings, "app.py": "pacer = Client('pacer', settings.pacer_url)"})
    assert caller.called() == ["pacer"]
    asking = Sources.of(
        "ingress", {"a.py": "async def f(a, pacer): await pacer.ask(f'/deliveries/{a.id}/explain?x=1')"}
    )
    assert [str(route) for route in routes_called(asking, sources("pacer"))] == [
        "GET /deliveries/{delivery_id}/explain"
    ]


def test_every_claim_of_the_security_page_names_a_test_that_exists() -> None:
    text = (DOCS / "security.md").read_text()
    claims = claims_of(text.partition("## Ports")[2])
    assert len(claims) > 25
    assert [claim for claim in claims if not NAMED_TEST.search(claim) and not claim.startswith(UNSHOWN)] == []
    named = NAMED_TEST.findall(text)
    sources = {file.name: file.read_text() for file in ROOT.rglob("test_*.py") if ".venv" not in file.parts}
    assert [each for each in named if not has_test(sources.get(each[0], ""), each[1])] == []


def test_a_claim_without_a_test_and_a_test_that_is_gone_are_found() -> None:
    table = "| port | who |\n| --- | --- |\n| 1 | you: `test_a.py::test_b` |\n"
    text = f"{table}\n- One\n  line.\n- Two: `test_a.py::test_c`.\n"
    assert claims_of(text) == ["| 1 | you: `test_a.py::test_b` |", "- One line.", "- Two: `test_a.py::test_c`."]
    assert NAMED_TEST.findall(text) == [("test_a.py", "test_b"), ("test_a.py", "test_c")]
    assert has_test("async def test_b() -> None:", "test_b")
    assert not has_test("def test_bc() -> None:", "test_b")


def claims_of(text: str) -> list[str]:
    """The items of the lists and the rows of the tables of a page, without the heads of the tables."""
    joined = re.sub(r"\n  +", " ", text)
    rows = re.sub(r"^\|.*\n\|[ -|]+\|$", "", joined, flags=re.MULTILINE)
    return re.findall(r"^(?:- |\| ).+$", rows, re.MULTILINE)


def has_test(source: str, name: str) -> bool:
    return re.search(rf"^(async )?def {name}\(", source, re.MULTILINE) is not None


def test_nothing_cites_a_page_that_is_not_here() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / path for path in listed.splitlines() if path not in UNCHECKED and (ROOT / path).is_file()]
    cited = {str(file.relative_to(ROOT)): missing for file in files if (missing := missing_pages(read_or_empty(file)))}
    assert cited == {}, f"cite pages of this repository: {cited}"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see docs/pacing.md and docs/decisions/0019, or decision 0005 (README.md).", []),
        ("docs/openapi.json, docs.pages and https://docs.example.com/docs/guide", []),
        ("as docs/" + "style says", ["docs/" + "style"]),
        ("DESIGN" + " section 5", ["DESIGN" + " section 5"]),
        ("see DESIGN" + ".md, and decision" + " 9999", ["DESIGN" + ".md", "decision" + " 9999"]),
    ],
)
def test_a_citation_is_a_page_or_a_decision(text: str, missing: list[str]) -> None:
    assert missing_pages(text) == missing


def missing_pages(text: str) -> list[str]:
    """What a text cites as a page, a chapter or a decision and this repository does not have."""
    return [cited[0] for cited in CITED.finditer(text) if not is_here(*cited.groups())]


def is_here(page: str | None, _chapter: str | None, decision: str | None) -> bool:
    if decision is not None:
        return any((DOCS / "decisions").glob(f"{decision}-*"))
    if page is None:
        return False
    name = page.rstrip(".")
    return any((ROOT / f"{name}{suffix}").exists() for suffix in ("", ".md")) or any(ROOT.glob(f"{name}-*"))


def read_or_empty(file: Path) -> str:
    """Empty for a picture."""
    try:
        return file.read_text()
    except UnicodeDecodeError:
        return ""


def recorded(initialise: Callable[..., None], parameter: str, given: list[type[Event]]) -> Callable[..., None]:
    """`__init__` of a reader, which also notes the events that the reader gets."""
    signature = inspect.signature(initialise)

    @functools.wraps(initialise)
    def noting(*arguments: object, **named: object) -> None:
        events = signature.bind(*arguments, **named).arguments[parameter]
        given.extend(events if isinstance(events, tuple) else (events,))
        initialise(*arguments, **named)

    return noting


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
