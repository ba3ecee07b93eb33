"""Phone file: which phones a file has, and which rows are wrong and why."""

import csv
import io

from console.core.phones.phone_file import ROWS_MAX, PhoneFile, read_phone_file, sample_csv

HEADS = ["Name", "Phone number", "Gateway", "Address", "Session", "API key", "HMAC-key", "Colour"]
GOOD = ["Sales 1", "+20 100 123 4567", "WAHA", "https://waha.example.com", "sales-1", "k", "h", "red"]


def read(*rows: list[str], country: str | None = None, present: dict[str, str] | None = None) -> PhoneFile:
    return read_phone_file(list(enumerate(rows, 1)), country, present or {})


def other(**cells: str) -> list[str]:
    places = {"name": 0, "number": 1, "gateway": 2, "address": 3, "session": 4, "api_key": 5}
    row = [*GOOD]
    for name, text in cells.items():
        row[places[name]] = text
    return row


def test_columns_are_found_by_their_names_in_any_spelling() -> None:
    file = read(HEADS, GOOD)
    (phone,) = file.phones
    assert phone.body == {
        "name": "Sales 1", "phone": "201001234567",
        "gateway": {"driver": "waha", "base_url": "https://waha.example.com", "account": "sales-1",
                    "credentials": {"api_key": "k", "hmac_key": "h"}},
    }  # fmt: skip
    assert (file.wrong, file.unused, file.problem) == ((), ("Colour",), "")


def test_each_wrong_row_is_named_with_its_line_and_reason() -> None:
    rows = [
        other(number="nobody"), other(name=""), other(gateway="telegram"), other(gateway=""),
        other(address="waha"), other(api_key=""), GOOD, other(name="Twin"), other(number="20100999", name="Old"),
    ]  # fmt: skip
    file = read(HEADS, *rows, present={"20100999": "Support"})
    assert [row.line for row in file.wrong] == [2, 3, 4, 5, 6, 7, 9, 10]
    words = [row.why for row in file.wrong]
    assert "“nobody” is not a phone number" in words[0]
    assert words[1] == "Enter a name."
    assert words[2] == "“telegram” is no gateway: write waha, evolution, cloud_api or simulator."
    assert words[3].startswith("Name the gateway")
    assert "Start with http://" in words[4]
    assert words[5] == "Enter the API key."
    assert "line 8 has it too" in words[6]
    assert "the package has it already, as Support" in words[7]
    assert [phone.line for phone in file.phones] == [8]


def test_a_file_without_names_of_columns_says_what_is_missing() -> None:
    assert "Missing: name, gateway" in read(["Colour", "Number"], ["red", "1"]).problem
    assert read(["", " "]).problem == "The file is empty."
    assert "at most" in read(HEADS, *[GOOD] * (ROWS_MAX + 1)).problem


def test_a_national_number_is_completed_by_the_packages_country() -> None:
    (phone,) = read(HEADS, other(number="01001234567"), country="EG").phones
    assert phone.body["phone"] == "201001234567"


def test_the_sample_can_be_imported() -> None:
    file = read_phone_file([(n, row) for n, row in enumerate(csv.reader(io.StringIO(sample_csv())), 1)], None, {})
    assert (len(file.phones), file.wrong, file.unused) == (3, (), ())
    assert [phone.body["gateway"]["driver"] for phone in file.phones] == ["waha", "evolution", "cloud_api"]
