"""Possible opt-outs: messages that a person should look at, and messages that are about something else."""

import pytest

from ingress.core.opt_out import WORDS, is_opt_out
from ingress.core.possible_opt_out import is_possible_opt_out


@pytest.mark.parametrize(
    "text",
    [
        "STOP STOP", "Stop. Thank you", "stop promo", "إلغاء اشتراك",
        "stop stop stop!!!", "Please stop now, thanks", "STOPPPP", "stopp", "Stopp bitte", "sotp", "unsuscribe",
        "Unsubcribe please", "stop sending me these messages", "Can you stop the messages?", "no more promotions pls",
        "cancel my subscription", "Remove my number", "don't text me", "stop it", "stop this", "pls stop texting",
        "i said stop", "STOP!!! 😡 STOP", "🛑", "🚫🚫", "⛔️", "🔕", "ＳＴＯＰ　ＳＴＯＰ", "st\u200bop st\u200bop",
        "Stop\nstop", "ok cancel", "end it",
        "BAJA por favor", "no me manden mensajes", "quiero darme de baja de la lista", "ya no quiero promociones",
        "Paren de enviar mensajes", "Cancelar la suscripción por favor",
        "SAIR por favor", "parem de mandar mensagem", "não quero mais promoções", "quero sair da lista",
        "Cancelar inscrição obrigado", "Tira meu número",
        "arrêtez de m'envoyer des messages", "STOP PUB", "désabonnez-moi de la liste", "Stop svp merci",
        "keine Nachrichten bitte", "Bitte keine Werbung mehr schicken", "nicht mehr schreiben", "Newsletter kündigen",
        "tolong berhenti", "jangan kirim promo", "stop promo kak", "hapus nomor saya",
        "mesaj atmayın artık", "reklam mesajı istemiyorum", "lütfen durdurun", "aboneliği iptal et",
        "कृपया बंद करें", "मैसेज भेजना बंद करो", "रोको रोको", "please band karo", "message mat bhejo yaar",
        "براہ کرم بند کریں", "پیغام بھیجنا بند کریں", "میسج نہ بھیجیں پلیز",
        "الغاء الإشتراك لو سمحت", "أوقفوا الرسائل من فضلكم", "لا أريد عروض", "إِلْغَاء  اشْتِرَاك", "إلـغـاء اشـتـراك",
        "احذفوا رقمي", "كفاية رسايل", "توقف توقف", "ما ابي رسايل", "لا ترسلون رسائل",
    ],
)  # fmt: skip
def test_what_probably_asks_for_no_more_messages_is_shown_to_a_person(text: str) -> None:
    assert not is_opt_out(text)
    assert is_possible_opt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "  ", "!!!", "👍", "Hi", "Yes", "no", "ok thanks", "Stop by at five?", "don't stop",
        "When does it stop?", "does the bus stop here", "cancel my order", "cancelar mi pedido", "Baja Norte",
        "إلغاء الطلب", "لا تتوقف", "متى يتوقف", "siparişi iptal et", "रोकना मत", "arrêtons-nous", "plus de choix",
        "thank you", "please", "send me the offer", "I got your message", "what is the number?",
        "para mensajes urgentes",
        "شكرا", "وصلت الرسالة شكرا", "كم السعر", "obrigado pela mensagem", "danke für die Nachricht",
        "terima kasih", "मैसेज मिल गया", "The weekend is fine", "stop " * 60, "x" * 5_000,
    ],
)  # fmt: skip
def test_a_message_about_something_else_is_not_shown(text: str | None) -> None:
    assert not is_possible_opt_out(text)


@pytest.mark.parametrize("language", WORDS)
def test_every_opt_out_word_said_twice_or_politely_is_possible(language: str) -> None:
    for word in WORDS[language]:
        for text in (f"{word} {word} {word}", f"{word.upper()}! {word}."):
            assert is_opt_out(text) or is_possible_opt_out(text), text


def test_an_ignored_word_is_neither_certain_nor_possible() -> None:
    assert is_opt_out("Cancel")
    for text in ("Cancel", " CANCEL. ", "cancel please", "cancel cancel"):
        assert not is_opt_out(text, ignored=["cancel"])
        assert not is_possible_opt_out(text, ignored=["cancel"])
    assert is_opt_out("STOP", ignored=["cancel"])
    assert is_opt_out("Cancel", own_words=["cancel"], ignored=["cancel"])
    assert is_possible_opt_out("cancel subscription", ignored=["cancel"])


def test_own_words_are_possible_too() -> None:
    assert not is_possible_opt_out("genug genug")
    assert is_possible_opt_out("genug genug", own_words=["genug"])
