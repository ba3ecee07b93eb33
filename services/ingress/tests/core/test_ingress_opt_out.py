"""Opt-out words in every language, and texts that only look like one."""

import pytest

from ingress.core.opt_out import WORDS, is_opt_out, normalize


@pytest.mark.parametrize(
    "text",
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
        # Meta's own button
        "Stop promotions", "STOP PROMOTIONS", "Parar promoções", "Detener promociones", "Arrêter les promotions",
        "Hentikan promosi", "प्रमोशन बंद करें", "Promosyonları durdur", "إيقاف العروض الترويجية", "Werbeaktionen stoppen",
        "Unsubscribe from Promos",
        # German, Urdu
        "Abmelden", "ABBESTELLEN!", "Keine Werbung mehr.", "بند کریں", "میسج نہ بھیجیں", "روکیں۔",
        # other keyboards, signs and invisible characters
        "بند کريں", "الغاء الاشتراک", "توقّف", "إلغاء\u200f\u200e", "S.T.O.P.", "s t o p", "S-T-O-P", "st\u00adop",
        "stop\ufe0e", "STOP ✋\ufe0e", "\ufe0f\u20e3 stop", "stop\u3164",
        "\u2800stop\u2800", "\ufeffSTOP", "𝐒𝐓𝐎𝐏",
        "ⓢⓣⓞⓟ", "st\u034fop", "stop" + "\u200b" * 200, "S\u0327TOP", "\nstop\n\n", "\tStop\u00a0",
        "बँद करो", "मुझे  हटाओ!!", "Desabonner\u202f!", "ＵＮＳＵＢＳＣＲＩＢＥ。", "¡¡BAJA!!", "“stop”",
        "‹STOP›", "(stop)", "#stop",
        "stop…", "stop؟", "STOP،", "İptal", "IPTAL", "ıptal",
    ],
)  # fmt: skip
def test_an_opt_out_word_is_recognised_in_any_spelling(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize("language", WORDS)
def test_every_word_is_recognised_in_any_case(language: str) -> None:
    missed = [word for word in WORDS[language] for text in (word, word.upper(), f"«{word}»") if not is_opt_out(text)]
    assert missed == []


@pytest.mark.parametrize(
    "text",
    [
        None, "", "   ", "!!!", "🛑", "Stop by at five?", "don't stop", "When does it stop?", "stopp", "Baja Norte",
        "cancelar mi pedido", "لا تتوقف", "متى يتوقف", "dur bakalım", "बंद", "रोकना मत", "arrêtons-nous", "Yes",
        "STOP " * 30,
    ],
)  # fmt: skip
def test_a_longer_or_different_text_is_not_an_opt_out(text: str | None) -> None:
    assert not is_opt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "alto", "Alto!", "keluar", "remover", "हटाओ", "وقف", "çık", "Cik", "çıkış", "dur", "Dur !", "plus de messages",
        "بطل", "كفاية", "خلاص", "إلغاء الطلب", "الغي الاوردر", "cancel my order", "cancelar pedido", "para", "no",
        "siparişi iptal et", "exit", "out", "batal", "रद्द करें", "non", "fin", "bas",
    ],
)  # fmt: skip
def test_an_ambiguous_word_is_not_an_opt_out(text: str) -> None:
    """A customer who is suppressed by mistake gets no open messages any more."""
    assert not is_opt_out(text)


def test_no_word_is_listed_twice_in_its_language() -> None:
    written = {language: [normalize(word) for word in words] for language, words in WORDS.items()}
    doubled = {each for words in written.values() for each in words if words.count(each) > 1}
    assert doubled == set()


def test_a_package_may_have_its_own_words() -> None:
    assert not is_opt_out("Genug!")
    assert is_opt_out("Genug!", ["genug", "schluss"])
    assert is_opt_out("STOP", ["genug"])


def test_vowels_of_devanagari_are_not_removed_as_accents() -> None:
    assert normalize("रोकें") != normalize("रक")
