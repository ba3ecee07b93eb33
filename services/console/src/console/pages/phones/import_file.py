"""Phone import page: adds the phones in a CSV or XLSX file to a package. It asks before it creates them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from console.core import formats
from console.core.markup import join, tag
from console.core.phones.gateway_kinds import gateway_name
from console.core.phones.phone_file import ROWS_MAX, NewPhone, PhoneFile, WrongRow, read_phone_file, sample_csv
from console.core.phones.phone_form import error_words
from console.data.api import CallFailed, CallRefused, CallSucceeded
from console.pages.phones.new_phone import CREATE_SECONDS
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query
from spreader.phone.list_file import ListFile, UnreadableFile

AT_ONCE = 6
SHOWN_MAX = 20


async def show(page: LivePage, package_id: str) -> None:
    await page.context.cache.load(PACKAGES, profiles_query(package_id))
    package = page.context.package(package_id)
    name = package.name if package else package_id
    html(components.page_head("Import phones", f"Adds the phones in a file to “{name}”."))
    PhoneImport(page, package_id, name).build()


class PhoneImport:
    def __init__(self, page: LivePage, package_id: str, package_name: str) -> None:
        self._page = page
        self._package_id = package_id
        self._package_name = package_name
        self._file = PhoneFile()
        self._is_creating = False

    def build(self) -> None:
        with stack("card stack tight"):
            words = "The first row names the columns: name, number, gateway, address, account, and the credentials."
            html(tag("p", words, class_="soft"))
            address = f"data:text/csv;charset=utf-8,{quote(sample_csv())}"
            sample = tag(
                "a", "Download a sample", href=address, download="phones.csv", class_="button", data_testid="sample"
            )
            html(tag("div", sample, class_="line"))
            label = "Choose a file of phones (CSV or XLSX)"
            self._page.context.uploads.field(label, ".csv,.txt,.xlsx", self.load, "phone-file")
            self._found = html(join()).props('aria-live="polite" data-testid="phones-found"')
            with stack("line") as self._buttons:
                self._create = button("Create", self._ask, "button-main").props('data-testid="create-phones"')
            self._buttons.set_visibility(False)
            self._result = html(join()).props('aria-live="polite" data-testid="phones-created"')

    async def load(self, _: str, path: Path) -> None:
        """Read the file. It is deleted afterwards, because it contains credentials."""
        if self._is_creating:
            return
        context = self._page.context
        present = {profile.phone: profile.name for profile in context.profiles(self._package_id)}
        country = context.country(self._package_id)
        try:
            rows = await asyncio.to_thread(_rows, path)
            self._file = read_phone_file(rows, country, present)
        except UnreadableFile as reason:
            self._file = PhoneFile(problem=str(reason))
        self._result.set_content(join())
        self._found.set_content(_found(self._file))
        self._create.set_text(f"Create {formats.plural(len(self._file.phones), 'phone')} …")
        self._buttons.set_visibility(bool(self._file.phones))

    async def _ask(self) -> None:
        phones = self._file.phones
        kinds = Counter(gateway_name(phone.body["gateway"]["driver"]) for phone in phones)
        skipped = f" {formats.plural(len(self._file.wrong), 'wrong row')} will be skipped." if self._file.wrong else ""
        words = ", ".join(f"{count} through {name}" for name, count in kinds.items())
        count = formats.plural(len(phones), "phone")
        title, action = f"Create {count} in “{self._package_name}”?", f"Create {count}"
        if self._is_creating or not await confirm(title, f"{words}.{skipped}", action, is_danger=False):
            return
        self._is_creating = True
        self._buttons.set_visibility(False)
        try:
            await self._create_all(phones)
        finally:
            self._is_creating = False

    async def _create_all(self, phones: Sequence[NewPhone]) -> None:
        turns, wrong = asyncio.Semaphore(AT_ONCE), list[WrongRow]()
        done = 0

        async def create(phone: NewPhone) -> None:
            nonlocal done
            async with turns:
                why = await self._create_one(phone)
            done += 1
            if why:
                wrong.append(WrongRow(phone.line, phone.name, why))
            self._result.set_content(components.notice(f"{done} of {len(phones)} done …", "info"))

        await asyncio.gather(*map(create, phones))
        context = self._page.context
        context.cache.refresh(PACKAGES)
        context.cache.refresh(profiles_query(self._package_id))
        created = formats.plural(len(phones) - len(wrong), "phone")
        self._found.set_content(join())
        self._result.set_content(_result(created, sorted(wrong, key=lambda row: row.line), self._package_id))
        notify(f"{created} created." + (f" {len(wrong)} not: see below." if wrong else ""), is_error=bool(wrong))

    async def _create_one(self, phone: NewPhone) -> str:
        """Create the phone. Returns why it was not created, or an empty text."""
        path = f"/packages/{self._package_id}/profiles"
        result = await self._page.context.api.call("POST", "ingress", path, phone.body, seconds=CREATE_SECONDS)
        match result:
            case CallSucceeded():
                return ""
            case CallRefused(fields=fields) if fields:
                return " ".join(map(error_words, fields.values()))
            case CallRefused() | CallFailed():
                return error_text(result, "ingress")


def _rows(path: Path) -> list[tuple[int, Sequence[str]]]:
    """Raises `UnreadableFile`."""
    return [(row.line, row.cells) for row in islice(ListFile(path).rows(), 2 * ROWS_MAX)]


def _found(file: PhoneFile) -> Markup:
    if file.problem:
        return components.notice(file.problem, "bad", "phones-problem")
    counts = f"{formats.plural(len(file.phones), 'phone')} can be created"
    counts += f", {formats.plural(len(file.wrong), 'row')} cannot." if file.wrong else "."
    unused = f"Columns that are not used: {', '.join(file.unused)}." if file.unused else ""
    shown = [
        (phone.name, formats.phone(phone.body["phone"]), gateway_name(gateway["driver"]), gateway.get("base_url", ""))
        for phone in file.phones[:SHOWN_MAX]
        for gateway in (phone.body["gateway"],)
    ]
    more = len(file.phones) - len(shown)
    return join(
        components.notice(counts, "warn" if file.wrong else "good", "phone-counts"),
        components.notice(unused, "info") if unused else None,
        _wrong_table(file.wrong),
        components.table(("Name", "Number", "Gateway", "Address"), shown, testid="new-phones") if shown else None,
        tag("p", f"and {more} more", class_="soft small") if more else None,
    )


def _wrong_table(rows: Sequence[WrongRow]) -> Markup | None:
    lines = [(str(row.line), row.name, row.why) for row in rows]
    return components.table(("Line", "Phone", "What is wrong"), lines, testid="wrong-rows") if lines else None


def _result(created: str, wrong: Sequence[WrongRow], package_id: str) -> Markup:
    to_list = components.link("See the phones", f"/packages/{package_id}/phones", "button button-main", "phone")
    words = f"{created} created." + (
        " These rows were not created. Correct them, and import the file again." * bool(wrong)
    )
    notice = components.notice(words, "warn" if wrong else "good", "import-done")
    return join(notice, _wrong_table(wrong), tag("div", to_list, class_="line", style="margin-top:.8rem"))
