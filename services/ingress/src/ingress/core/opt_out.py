"""Opt-out word: a customer's message that consists only of a word such as STOP. It ends the business's open messages to
this customer."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache

CHARACTERS_MAX = 1_000
"""A longer message is never an opt-out word, even if most of its characters are invisible."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "ar": (
        "إلغاء", "إلغاء الاشتراك", "الغاء اشتراكي", "إلغاء الرسائل", "توقف", "توقفوا", "أوقف", "أوقفوا", "إيقاف",
        "إيقاف الرسائل", "أوقفوا الرسائل", "قف", "لا أريد رسائل", "لا أرغب في الرسائل", "لا ترسلوا لي", "لا تراسلوني",
        "احذفني", "احذفوني من القائمة", "إيقاف العروض", "إيقاف العروض الترويجية", "إيقاف الترويج",
        # Egyptian
        "وقف الرسايل", "وقفوا الرسايل", "بطلوا رسايل", "مش عايز رسايل", "مش عايزة رسايل", "مش عاوز رسايل",
        "مش عاوزة رسايل", "متبعتوش تاني", "ماتبعتوش تاني", "متبعتليش تاني", "شيلوني من القائمة",
    ),
    "en": (
        # US law (47 CFR 64.1200(a)(10)) requires the first seven, although some of them may mean something else.
        "stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe",
        "stop all", "stopall", "unsubscribe me", "optout", "opt me out", "remove me", "please stop",
        "stop please", "stop messaging me", "stop texting me", "no more messages", "stop promotions",
        "unsubscribe from promos", "unsubscribe from all",
    ),
    "es": (
        "baja", "dar de baja", "darme de baja", "dame de baja", "parar", "pare", "paren", "detener", "cancelar",
        "cancelar suscripción", "no más mensajes", "no quiero más mensajes", "salir",
        "detener promociones", "parar promociones",
    ),
    "pt": (
        "sair", "sair da lista", "parar", "pare", "parem", "cancelar", "cancelar inscrição", "descadastrar",
        "descadastre-me", "não quero mais mensagens", "não quero receber mensagens", "parar promoções",
        "interromper promoções",
    ),
    "fr": (
        "arrêt", "arrêter", "arrêtez", "désabonner", "se désabonner", "me désabonner", "désabonnement", "désinscrire",
        "me désinscrire", "désinscription", "plus aucun message", "ne plus recevoir de messages",
        "arrêter les promotions", "arrêter les promos",
    ),
    "de": (
        "abmelden", "abmeldung", "abbestellen", "austragen", "newsletter abbestellen", "keine werbung",
        "keine werbung mehr", "keine nachrichten mehr", "bitte keine werbung", "bitte keine nachrichten mehr",
        "werbung stoppen", "werbeaktionen stoppen", "promotions stoppen",
    ),
    "id": (
        "berhenti", "berhenti berlangganan", "hentikan", "stop pesan", "unreg", "batal langganan",
        "batalkan langganan", "jangan kirim pesan lagi", "jangan kirim lagi", "hentikan promosi", "stop promosi",
    ),
    "hi": (
        "रोकें", "रोको", "रोक दो", "बंद करो", "बंद करें", "बंद कर दो", "मैसेज बंद करो", "मैसेज मत भेजो", "सदस्यता रद्द करें",
        "सदस्यता समाप्त करें", "मुझे हटाओ", "मुझे हटा दो", "band karo", "band kar do", "roko", "message band karo",
        "message mat bhejo", "प्रमोशन बंद करें", "प्रमोशन रोकें",
    ),
    "ur": (
        "بند کریں", "بند کرو", "بند کر دیں", "روکیں", "روکو", "روک دیں", "میسج بند کریں", "میسج بند کرو",
        "پیغامات بند کریں", "میسج نہ بھیجیں", "میسج مت بھیجو", "پیغام نہ بھیجیں", "مجھے ہٹا دیں", "ان سبسکرائب",
        "سبسکرپشن ختم کریں", "پروموشن بند کریں", "پروموشنز بند کریں", "band karein", "message band karein",
    ),
    "tr": (
        "ret", "iptal", "durdur", "durdurun", "abonelikten çık", "üyelikten çık", "listeden çık", "mesaj istemiyorum",
        "mesaj atmayın", "mesaj göndermeyin", "promosyonları durdur", "reklam istemiyorum",
    ),
}  # fmt: skip
"""The opt-out words by language. Every word applies to every package, because the language of a customer is not known.

A word is listed if it has no other meaning, or if businesses print it in their messages as the opt-out word. In several
languages, the words for "stop promotions" are listed, because they are the text of Meta's own button in marketing
templates. Words that may mean something else are left out: alto (high), keluar (exit), remover and हटाओ (remove, for
example an item of an order), وقف (endowment), çıkış (check-out), çık (normalized to cik; in Malay, Miss), dur
(wait; in French, hard), plus de messages (more messages, or none).
"""

_VIRAMA = 9
"""Unicode's combining class of the virama. This sign of Indian scripts is not an accent, because it changes the letter
before it."""
_INVISIBLE = re.compile(
    "[\u0640\u034f\u180b-\u180d\u20e3\u2800\u3164\u115f\u1160\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Characters that do not change a word. The first is the tatweel, which only makes an Arabic word look longer. The
others are empty letters, and selectors that choose between two forms of a character."""
_ALIKE = str.maketrans(
    {
        "ى": "ي",
        "ة": "ه",
        "ٱ": "ا",
        # Letters of Urdu and Persian keyboards
        "ی": "ي",
        "ے": "ي",
        "ک": "ك",
        "ہ": "ه",
        "ھ": "ه",
        "ۃ": "ه",
        "ں": "ن",
        "ı": "i",
        "ँ": "ं",
    }
)


def normalize(text: str) -> str:
    """The normalized text. Two texts have the same normalized text if they differ only in case, accents, punctuation,
    emoji, spaces or invisible characters."""
    # The text is normalized before and after the case folding, as in Unicode's compatibility caseless match (D146).
    bare = _without_accents(unicodedata.normalize("NFKD", text)).casefold()
    folded = _without_accents(unicodedata.normalize("NFKD", bare)).translate(_ALIKE)
    words = "".join(_letter_or_space(character) for character in folded).split()
    is_spelled = len(words) > 2 and all(len(word) == 1 for word in words)
    return ("" if is_spelled else " ").join(words)  # "S.T.O.P" is STOP


def _without_accents(text: str) -> str:
    """The text without accents of Latin and Arabic. The vowel signs of Indian scripts are not accents, so they stay."""
    accents = {each for each in set(text) if unicodedata.combining(each) not in (0, _VIRAMA)}
    return _INVISIBLE.sub("", text.translate(dict.fromkeys(map(ord, accents))))


def _letter_or_space(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # invisible: joiners and direction marks
        return ""
    return " " if category[0] in "PSZC" else character


_NORMALIZED_WORDS = frozenset(normalize(word) for words in WORDS.values() for word in words)


def opt_out_words(own_words: Collection[str] = (), ignored: Collection[str] = ()) -> frozenset[str]:
    """The normalized opt-out words of a package. They are its own words, and all of `WORDS` that it does not ignore."""
    return _opt_out_words(tuple(own_words), tuple(ignored)) if own_words or ignored else _NORMALIZED_WORDS


@lru_cache
def _opt_out_words(own_words: tuple[str, ...], ignored: tuple[str, ...]) -> frozenset[str]:
    return _NORMALIZED_WORDS - {*map(normalize, ignored)} | ({*map(normalize, own_words)} - {""})


def is_opt_out(text: str | None, own_words: Collection[str] = (), ignored: Collection[str] = ()) -> bool:
    """Whether a message consists only of an opt-out word of the package (`opt_out_words`)."""
    if text is None or len(text) > CHARACTERS_MAX:
        return False
    return normalize(text) in opt_out_words(own_words, ignored)
