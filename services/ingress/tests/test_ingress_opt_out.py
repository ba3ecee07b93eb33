"""Opt-out words in every language, and what only looks like one; phone lists as people write them."""

import pytest

from ingress.core.opt_out import WORDS, is_opt_out, normalize
from ingress.core.phone_list import InvalidRow, PhoneRow, header_column, read_rows


@pytest.mark.parametrize(
    "said",
    [
        "STOP", " stop. ", "Stop!!!", "*STOP*", "STOP 🙏", "s\u200dtop", "ＳＴＯＰ", "Unsubscribe", "opt-out",
        "إلغاء", "الغاء", "إلــغاء", "إِلْغَاء", "توقف", "الغاء الاشتراك", "إلغاء الإشتراك", "\u200fتوقف\u200f", "أوقف",
        "اوقف",
        "BAJA", "baja.", "PARAR", "Cancelar suscripcion", "¡No más mensajes!",
        "SAIR", "Descadastrar", "CANCELAR", "cancelar inscricao",
        "ARRÊT", "arret", "ARRE\u0302T", "DÉSABONNER", "desabonner", "Se désabonner.",
        "BERHENTI", "Berhenti berlangganan", "hentikan",
        "रोकें", "बंद करो", "बंद करो।", "  बंद  करें ", "रोको",
        "RET", "Durdur!", "ABONELİKTEN ÇIK", "abonelikten çık", "Abonelikten cik", "İPTAL", "iptal",
        "مش عايز رسايل", "وقّف الرسايل", "متبعتوش تاني 🙏", "لا ترسلوا لي", "UNREG", "मैसेज मत भेजो",
        "Plus aucun message !",
    ],
)  # fmt: skip
def test_a_customer_opts_out_by_a_word_however_it_is_written(said: str) -> None:
    assert is_opt_out(said)


@pytest.mark.parametrize("language", WORDS)
def test_every_word_of_every_language_is_one_in_any_case(language: str) -> None:
    missed = [word for word in WORDS[language] for said in (word, word.upper(), f"«{word}»") if not is_opt_out(said)]
    assert missed == []


@pytest.mark.parametrize(
    "said",
    [
        None, "", "   ", "!!!", "🛑", "Stop by at five?", "don't stop", "When does it stop?", "stopp", "Baja Norte",
        "cancelar mi pedido", "لا تتوقف", "متى يتوقف", "dur bakalım", "बंद", "रोकना मत", "arrêtons-nous", "Yes",
        "STOP " * 30,
    ],
)  # fmt: skip
def test_what_says_more_or_something_else_is_no_opt_out(said: str | None) -> None:
    assert not is_opt_out(said)


@pytest.mark.parametrize(
    "said",
    [
        "alto", "Alto!", "keluar", "remover", "हटाओ", "وقف", "çık", "Cik", "çıkış", "dur", "Dur !", "plus de messages",
        "بطل", "كفاية", "خلاص", "إلغاء الطلب", "الغي الاوردر", "cancel my order", "cancelar pedido", "para", "no",
        "siparişi iptal et", "exit", "out", "batal", "रद्द करें", "non", "fin", "bas",
    ],
)  # fmt: skip
def test_a_word_that_may_mean_something_else_opts_nobody_out(said: str) -> None:
    """An order, a level, a wait: whoever is suppressed by mistake hears of no open message again."""
    assert not is_opt_out(said)


def test_no_word_stands_twice_in_its_language() -> None:
    written = {language: [normalize(word) for word in words] for language, words in WORDS.items()}
    doubled = {each for words in written.values() for each in words if words.count(each) > 1}
    assert doubled == set()


def test_a_package_adds_words_of_its_own() -> None:
    assert not is_opt_out("Genug!")
    assert is_opt_out("Genug!", ["genug", "schluss"])
    assert is_opt_out("STOP", ["genug"])


def test_vowels_of_devanagari_are_no_accents() -> None:
    assert normalize("रोकें") != normalize("रक")


def test_a_list_of_numbers_is_read_as_people_write_it() -> None:
    rows = [
        "201001234567",
        "+20 100 123-4568",
        "",
        "00201001234569;Mona",
        '"2010 01234570",x',
        "Omar",
        "12",
        "٢٠١٠٠١٢٣٤٥٦٧",
    ]
    assert list(read_rows(rows, first_line=2)) == [
        PhoneRow(2, "201001234567"),
        PhoneRow(3, "201001234568"),
        PhoneRow(5, "201001234569"),
        PhoneRow(6, "201001234570"),
        *(
            InvalidRow(line, "phone_number", "a phone number is 7 to 15 digits in international form")
            for line in (7, 8, 9)
        ),
    ]


@pytest.mark.parametrize(
    ("first", "column"),
    [
        ("201001234567", None), ("phone", 0), ("Recipient", 0), ("name,Phone Number,city", 1), ("Name;Telefon", 0),
        ("", None), ("+20 100 1234567,Mona", None),
    ],
)  # fmt: skip
def test_a_header_is_known_by_its_names_or_by_having_no_digit(first: str, column: int | None) -> None:
    assert header_column(first) == column
