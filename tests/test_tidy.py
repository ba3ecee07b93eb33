"""Tidy: the house rules that no other tool checks; each says what to do instead, and each is shown to bite."""

import ast
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import prose
import pytest

from spreader.contract.events import EVENTS, PARTITIONS

ROOT = Path(__file__).parent.parent

# The aim is 250 and 40; these are the bounds that today's code meets. Lower them when possible.
MODULE_LINES_MAX = 300
TEST_MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LONG_BY_NATURE = {"libs/common/src/spreader/contract/events.py"}  # the one list of everything that travels

NAMES_WITHOUT_A_NOUN = {"utils", "util", "helpers", "helper", "manager", "service", "base", "misc", "common"}
NAMES_WITH_A_REASON = {"libs/common/src/spreader/runtime/service.py"}  # a service is its noun
NAMED_BY_A_PARTICIPLE = {
    "routing": "the decision of the router, as its field calls it",
    "batching": "the term of Kafka clients for gathering records",
    "logging": "the term of the field",
    "tracing": "the term of the field",
    "testing": "fakes and harnesses for tests, as in the standard library of Go",
}
FOLDER_MODULES_MAX = 20
SHARED_CLASS_NAMES: dict[str, str] = {}
"""Public class names that are defined more than once in shipped code, each with its reason."""
NAMES_OF_OTHERS = {
    "services/console/src/console/core/api_models.py": "what the console reads of the API, under the API's names",
    "services/simulator/src/simulator/dialects/cloud_forms.py": "Meta's request bodies, under Meta's names",
    "services/simulator/src/simulator/dialects/linked_forms.py": "request bodies of WAHA and Evolution, likewise",
}
"""Modules whose classes have the names of another system."""
CLOCK = "libs/common/src/spreader/clock.py"
EVENTS_MODULE = "libs/common/src/spreader/contract/events.py"
CLEAN_TEXT = "libs/common/src/spreader/text/clean_text.py"
SQL_HOMES = {"postgres.py", "offset_store.py", "consent.py", "retention.py", "store.py", "backlog.py"}
SQL_FOLDERS = {"sql", "ledger"}
READS_THE_CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
WIRE_NAMES = {*PARTITIONS, *(event.type for event in EVENTS)}
STATEMENT = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|INDEX|SCHEMA)\s|WITH\s+\w+\s+AS\s)",
    re.DOTALL,
)
# Spelled in halves: this file obeys the rule that it states.
OF_ONE_MACHINE = re.compile(rf"/{'work'}/(main|shared)|(?<![\w.-])/{'root'}/|{'farm'}-(bench|studio)|`{'dupli'}cates`")


@dataclass(frozen=True)
class Source:
    """One file of the tree: its path and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def ships(self) -> bool:
        return "/src/" in self.path

    @property
    def is_code(self) -> bool:
        return self.path.endswith(".py")


Rule = Callable[[Source], Iterator[str]]


def opens_with_its_sentence(source: Source) -> Iterator[str]:
    said = ast.get_docstring(source.tree)
    if said is None or not re.match(r"([A-Z0-9`]|python -m ).*\w.*[.?]", said.split("\n\n")[0], re.DOTALL):
        yield "open it with a docstring whose first sentence says which one noun the module is"


def is_short(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    bound = MODULE_LINES_MAX if source.ships else TEST_MODULE_LINES_MAX
    if lines > bound and source.path not in LONG_BY_NATURE:
        yield f"{lines} lines are over {bound}: find the second noun in it and give it a module of its own"


def has_short_functions(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.name}: {lines} lines are over {FUNCTION_LINES_MAX}: take out a step and name it"


def is_named_by_a_noun(source: Source) -> Iterator[str]:
    parts = {part.removesuffix(".py") for part in PurePosixPath(source.path).parts[2:]}
    if source.ships and parts & NAMES_WITHOUT_A_NOUN and source.path not in NAMES_WITH_A_REASON:
        yield f"{sorted(parts & NAMES_WITHOUT_A_NOUN)} says nothing: name the module after the noun that lives in it"


def is_not_named_by_a_participle(source: Source) -> Iterator[str]:
    name = source.name.removesuffix(".py")
    if source.ships and name.endswith("ing") and name not in NAMED_BY_A_PARTICIPLE:
        yield f"{name!r} hides its noun: name the module after the thing that it contains"


def has_typed_rows(source: Source) -> Iterator[str]:
    if not source.ships:
        return
    for node in ast.walk(source.tree):
        annotation = node.annotation if isinstance(node, ast.arg | ast.AnnAssign) else None
        words = "" if annotation is None else ast.unparse(annotation)
        name = node.arg if isinstance(node, ast.arg) else ""
        if re.search(r"\bRow\[", words) or (words == "Any" and name in {"row", "record", "found"}):
            yield f"line {annotation.lineno if annotation else 0}: write a row class and read it with `fetched`"


def aligns_only_data(source: Source) -> Iterator[str]:
    """`# fmt: skip` keeps the columns of a table of data; elsewhere it only saves lines."""
    if not source.ships or "# fmt: skip" not in source.text:
        return
    last_lines = {
        node.end_lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.List | ast.Tuple | ast.Dict | ast.Set | ast.Subscript)
    }
    for number, line in enumerate(source.text.splitlines(), 1):
        if line.rstrip().endswith("# fmt: skip") and number not in last_lines:
            yield f"line {number}: take out `# fmt: skip` and let the formatter work; it is for tables of data"


def reads_plainly(source: Source) -> Iterator[str]:
    if source.path in {"tests/prose.py", "CHANGELOG.md"} or source.path.startswith("bench/results/"):
        return
    if source.is_code:
        yield from prose.complaints(prose.of_python(source.text))
    elif source.path.endswith(".md"):
        yield from prose.complaints(prose.of_markdown(source.text))


def leaves_other_features_alone(source: Source) -> Iterator[str]:
    """An endpoint module never imports the endpoint module of another feature."""
    if not source.ships or not source.name.removesuffix(".py").endswith(("endpoint", "endpoints")):
        return
    folder = PurePosixPath(source.path).parent.name
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for parts in (module.split(".") for module in modules):
                if parts[-1].endswith(("endpoint", "endpoints")) and len(parts) > 1 and parts[-2] != folder:
                    yield f"line {node.lineno}: move what both need below both endpoints, and name it"


def leaves_the_clock_alone(source: Source) -> Iterator[str]:
    if not source.ships or source.path == CLOCK:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in READS_THE_CLOCK:
            yield f"line {node.lineno}: take `now` as an argument (core) or a spreader.clock.Clock (shell)"


def spells_no_topic(source: Source) -> Iterator[str]:
    if source.ships and source.path != EVENTS_MODULE:
        for line, text in _strings(source.tree):
            if text in WIRE_NAMES:
                yield f"line {line}: use the event class's `topic` or `type` instead of spelling {text!r}"


def keeps_sql_at_home(source: Source) -> Iterator[str]:
    folders = set(PurePosixPath(source.path).parts)
    at_home = source.name in SQL_HOMES or source.name.startswith("sql") or bool(folders & {*SQL_FOLDERS, "migrations"})
    if source.ships and not at_home:
        for line, text in _strings(source.tree):
            if STATEMENT.match(text):
                yield f"line {line}: make the statement a named constant of the service's postgres.py"


def cleans_with_the_one_function(source: Source) -> Iterator[str]:
    """`CleanText(...)` and `cast(CleanText, ...)` would make any text pass for a clean one."""
    if source.ships and source.path != CLEAN_TEXT:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and "CleanText" in {ast.unparse(part).strip("'") for part in _makers(node)}:
                yield f"line {node.lineno}: use `clean` or `clean_id` of spreader.text.clean_text"


def _makers(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is of, and for a cast also its type."""
    yield call.func
    if ast.unparse(call.func).split(".")[-1] == "cast":
        yield call.args[0]


def knows_no_machine(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := OF_ONE_MACHINE.search(line):
            yield f"line {number}: {found[0]!r} exists on one machine only: write a path relative to the tree"


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings that the code uses: without docstrings, which are prose."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


RULES: tuple[Rule, ...] = (
    opens_with_its_sentence, is_short, has_short_functions, is_named_by_a_noun, leaves_the_clock_alone,
    spells_no_topic, keeps_sql_at_home, knows_no_machine, is_not_named_by_a_participle, has_typed_rows,
    aligns_only_data, reads_plainly, leaves_other_features_alone, cleans_with_the_one_function,
)  # fmt: skip
RULES_FOR_ANY_FILE: frozenset[Rule] = frozenset({knows_no_machine, reads_plainly})


def has_small_folders(sources: Sequence[Source]) -> Iterator[str]:
    modules = Counter(str(PurePosixPath(source.path).parent) for source in sources if _is_shipped_module(source))
    for folder, count in sorted(modules.items()):
        if count > FOLDER_MODULES_MAX:
            yield f"{folder}: {count} modules are over {FOLDER_MODULES_MAX}: make folders of the features in it"


def names_each_class_once(sources: Sequence[Source]) -> Iterator[str]:
    homes: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        if _is_shipped_module(source) and source.path not in NAMES_OF_OTHERS:
            for node in source.tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].append(source.path)
    for name, paths in sorted(homes.items()):
        if len(paths) > 1 and name not in SHARED_CLASS_NAMES:
            yield f"{name} is defined in {', '.join(paths)}: name each after what it is, or write the reason here"
    for name in sorted(SHARED_CLASS_NAMES):
        if len(homes[name]) < 2:
            yield f"{name} is defined once: take it off the list"


def _is_shipped_module(source: Source) -> bool:
    return source.ships and source.is_code and source.name != "__init__.py" and "/migrations/" not in source.path


TreeRule = Callable[[Sequence[Source]], Iterator[str]]
TREE_RULES: tuple[TreeRule, ...] = (has_small_folders, names_each_class_once)


def _sources() -> Iterator[Source]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for path in sorted(set(listed.splitlines())):
        try:
            yield Source(path, (ROOT / path).read_text())
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, or a file that was just removed


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return list(_sources())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Rule, sources: list[Source]) -> None:
    chosen = [source for source in sources if source.text and (source.is_code or rule in RULES_FOR_ANY_FILE)]
    complaints = [f"{source.path}: {complaint}" for source in chosen for complaint in rule(source)]
    assert not complaints, "\n".join(["", *complaints])


@pytest.mark.parametrize("rule", TREE_RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: TreeRule, sources: list[Source]) -> None:
    complaints = list(rule(sources))
    assert not complaints, "\n".join(["", *complaints])


def test_a_rule_of_the_tree_can_fail() -> None:
    crowd = [Source(f"services/pacer/src/pacer/core/m{number}.py", "") for number in range(FOLDER_MODULES_MAX + 1)]
    assert list(has_small_folders(crowd))
    assert not list(has_small_folders(crowd[1:]))
    twice = [Source(f"services/{name}/src/{name}/queue.py", "class Queue: ...\n") for name in ("pacer", "router")]
    assert next(names_each_class_once(twice)).startswith("Queue is defined in")
    assert not [complaint for complaint in names_each_class_once(twice[1:]) if complaint.startswith("Queue")]


def test_there_is_something_to_keep_tidy(sources: list[Source]) -> None:
    shipped = {source.path.split("/")[1] for source in sources if source.ships}
    assert {"common", "ingress", "router", "pacer", "sender", "stats", "console", "simulator", "local"} <= shipped


IDIOMS_SPOKEN = (
    "Wait until it is read; answers whether it is.", "Answers how many were dropped.", "It tells the others of it.",
    "What was told of it.", "The page stands in docs.", "The file lies beside it.", "It ended a moment ago.",
    "Whoever reads it learns nothing.", "It waits so long as it can.", "There are so many rows.", "It begins anew.",
    "It ends what is held.", "The customer was heard.", "Nobody waits for it.", "It is no error.",
)  # fmt: skip
HERE = "services/pacer/src/pacer/intake/held_queue.py"
LONG = "def f():\n" + "    pass\n" * FUNCTION_LINES_MAX
BAD: list[tuple[Rule, str, str]] = [
    (opens_with_its_sentence, HERE, "import asyncio\n"),
    (opens_with_its_sentence, HERE, '"""queue"""\n'),
    (opens_with_its_sentence, HERE, '"""Queue: without an end"""\n'),
    (is_short, HERE, "x = 1\n" * (MODULE_LINES_MAX + 1)),
    (is_short, "services/pacer/tests/test_pacer_queue.py", "x = 1\n" * (TEST_MODULE_LINES_MAX + 1)),
    (has_short_functions, HERE, LONG),
    (has_short_functions, HERE, "class C:\n    async " + LONG.replace("\n", "\n    ")),
    (is_named_by_a_noun, "services/pacer/src/pacer/utils.py", ""),
    (is_named_by_a_noun, "services/pacer/src/pacer/service.py", ""),
    (is_named_by_a_noun, "services/pacer/src/pacer/helpers/queue.py", ""),
    (leaves_the_clock_alone, HERE, "from datetime import datetime, UTC\nnow = datetime.now(UTC)\n"),
    (leaves_the_clock_alone, HERE, "import datetime as dt\nnow = dt.datetime.now()\n"),
    (leaves_the_clock_alone, HERE, "import time\nread = time.time\n"),
    (spells_no_topic, HERE, 'topic = "spreader.delivery-outcome"\n'),
    (spells_no_topic, HERE, 'if kind == "spreader.alert.v1": pass\n'),
    (keeps_sql_at_home, HERE, 'QUERY = """\nSELECT a\nFROM b"""\n'),
    (keeps_sql_at_home, HERE, 'execute(f"DELETE FROM pacer.delivery WHERE id = {x}")\n'),
    (keeps_sql_at_home, HERE, 'execute("UPDATE pacer.delivery SET a = 1")\n'),
    (is_not_named_by_a_participle, "services/pacer/src/pacer/release/waking.py", ""),
    (is_not_named_by_a_participle, "services/pacer/src/pacer/core/best_timing.py", ""),
    (has_typed_rows, HERE, "from typing import Any\ndef read(row: Any) -> int: ...\n"),
    (has_typed_rows, HERE, "def read(rows: list[Row[Any]]) -> int: ...\n"),
    (aligns_only_data, HERE, "call(\n    1, 2,\n)  # fmt: skip\n"),
    (
        leaves_other_features_alone,
        "services/ingress/src/ingress/messages/reply_endpoint.py",
        "from ingress.webhooks.endpoint import path\n",
    ),
    (
        leaves_other_features_alone,
        "services/ingress/src/ingress/messages/reply_endpoint.py",
        "from ingress.webhooks import endpoint\n",
    ),
    (cleans_with_the_one_function, HERE, "reason = CleanText(error)\n"),
    (cleans_with_the_one_function, HERE, "reason = typing.cast('CleanText', error)\n"),
    *((reads_plainly, "docs/run.md", sentence) for sentence in IDIOMS_SPOKEN),
    *((reads_plainly, HERE, f'"""Queue: a queue.\n\n{sentence}\n"""\n') for sentence in IDIOMS_SPOKEN),
    (reads_plainly, HERE, "# the place where it lies\n"),
    (reads_plainly, HERE, 'log.warning("nobody answers")\n'),
    (knows_no_machine, "docs/run.md", f"cd /{'work'}/main && make\n"),
    (knows_no_machine, "Makefile", f"\tHOME=/{'root'}/cache make\n"),
    (knows_no_machine, "docs/run.md", f"see {'farm'}-studio\n"),
    (knows_no_machine, "docs/run.md", f"run `{'dupli'}cates` first\n"),
]
GOOD: list[tuple[Rule, str, str]] = [
    (opens_with_its_sentence, HERE, '"""Queue: what waits for its release."""\n'),
    (is_short, EVENTS_MODULE, "x = 1\n" * 600),
    (is_named_by_a_noun, "libs/common/src/spreader/runtime/service.py", ""),
    (leaves_the_clock_alone, HERE, "began = time.monotonic()\nnow = clock.now\n"),
    (leaves_the_clock_alone, CLOCK, "now = datetime.now(UTC)\n"),
    (spells_no_topic, HERE, '"""Reads spreader.delivery-outcome."""\ntopic = DeliveryOutcome.topic\n'),
    (keeps_sql_at_home, HERE, '"""Select one from many."""\ntext = "Update your settings"\n'),
    (keeps_sql_at_home, "services/pacer/src/pacer/sql/queue.py", 'QUERY = "SELECT a FROM b"\n'),
    (is_not_named_by_a_participle, "services/router/src/router/core/routing.py", ""),
    (is_not_named_by_a_participle, "services/pacer/tests/test_pacer_timing.py", ""),
    (has_typed_rows, HERE, "def read(row: QueueRow, value: Any) -> int: ...\n"),
    (aligns_only_data, HERE, "TABLE = {\n    1:   2,\n}  # fmt: skip\n"),
    (
        leaves_other_features_alone,
        "services/ingress/src/ingress/messages/reply_endpoint.py",
        "from ingress.messages.open_endpoint import path\n",
    ),
    (cleans_with_the_one_function, HERE, "reason: CleanText = clean(error)\n"),
    (cleans_with_the_one_function, CLEAN_TEXT, "CleanText = NewType('CleanText', str)\nx = CleanText(y)\n"),
    (reads_plainly, "docs/run.md", "`nobody` is a role; the server answers, and the letters stand for words."),
    (reads_plainly, HERE, 'text = "nobody"\nvalue = heard(anew)\n'),
    (knows_no_machine, "deploy/docker/Dockerfile", "WORKDIR /app\nCOPY --chown=root:root . .\n# no duplicates\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_bites_and_says_what_to_do(rule: Rule, path: str, text: str) -> None:
    complaints = list(rule(Source(path, text)))
    assert complaints
    assert all(re.search(r"\b(open|find|take|name|use|make|write)\b", complaint) for complaint in complaints)


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_lets_pass_what_it_should(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []
