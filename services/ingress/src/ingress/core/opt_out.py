"""Opt-out word: a customer's message that consists only of a word such as STOP. It ends the business's open messages to
this customer."""

import re
import unicodedata
from collections.abc import Collection, Mapping

CHARACTERS_MAX = 80
"""A longer message is never an opt-out word."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "ar": (
        "إلغاء", "إلغاء الاشتراك", "الغاء اشتراكي", "إلغاء الرسائل", "توقف", "توقفوا", "أوقف", "أوقفوا", "إيقاف",
        "إيقاف الرسائل", "أوقفوا الرسائل", "قف", "لا أريد رسائل", "لا أرغب في الرسائل", "لا ترسلوا لي", "لا تراسلوني",
        "احذفني", "احذفوني من القائمة",
        # Egyptian
        "وقف الرسايل", "وقفوا الرسايل", "بطلوا رسايل", "مش عايز رسايل", "مش عايزة رسايل", "مش عاوز رسايل",
        "مش عاوزة رسايل", "متبعتوش تاني", "ماتبعتوش تاني", "متبعتليش تاني", "شيلوني من القائمة",
    ),
    "en": (
        # US law requires the first seven, although some have other meanings (47 CFR 64.1200(a)(10)).
        "stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe",
        "stop all", "stopall", "unsubscribe me", "optout", "opt me out", "remove me", "please stop",
        "stop please", "stop messaging me", "stop texting me", "no more messages",
    ),
    "es": (
        "baja", "dar de baja", "darme de baja", "dame de baja", "parar", "pare", "paren", "detener", "cancelar",
        "cancelar suscripción", "no más mensajes", "no quiero más mensajes", "salir",
    ),
    "pt": (
        "sair", "sair da lista", "parar", "pare", "parem", "cancelar", "cancelar inscrição", "descadastrar",
        "descadastre-me", "não quero mais mensagens", "não quero receber mensagens",
    ),
    "fr": (
        "arrêt", "arrêter", "arrêtez", "désabonner", "se désabonner", "me désabonner", "désabonnement", "désinscrire",
        "me désinscrire", "désinscription", "plus aucun message", "ne plus recevoir de messages",
    ),
    "id": (
        "berhenti", "berhenti berlangganan", "hentikan", "stop pesan", "unreg", "batal langganan",
        "batalkan langganan", "jangan kirim pesan lagi", "jangan kirim lagi",
    ),
    "hi": (
        "रोकें", "रोको", "रोक दो", "बंद करो", "बंद करें", "बंद कर दो", "मैसेज बंद करो", "मैसेज मत भेजो", "सदस्यता रद्द करें",
        "सदस्यता समाप्त करें", "मुझे हटाओ", "मुझे हटा दो", "band karo", "band kar do", "roko", "message band karo",
        "message mat bhejo",
    ),
    "tr": (
        "ret", "iptal", "durdur", "durdurun", "abonelikten çık", "üyelikten çık", "listeden çık", "mesaj istemiyorum",
        "mesaj atmayın", "mesaj göndermeyin",
    ),
}  # fmt: skip
"""The opt-out words by language. Every word applies to every package, because the language of a customer is not known.

A word is listed if it has no other meaning, or if businesses print it in their messages as the opt-out word. Words that
may mean something else are left out: alto (high), keluar (exit), remover and हटाओ (remove, for example an item of an
order), وقف (an endowment), çıkış (check-out), çık (in Malay, Miss), dur (wait; in French, hard), plus de messages (more
messages, or none).
"""

_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u065f\u0670\u0640\ufe0f]")
"""Accents of Latin and Arabic, the tatweel, and the emoji selector. The vowel signs of Devanagari are not accents, so
they stay."""
_ALIKE = str.maketrans({"ى": "ي", "ة": "ه", "ı": "i"})


def normalize(text: str) -> str:
    """The text without differences in case, accents, punctuation, emoji and spaces."""
    # The text is normalized before and after the case folding, as in Unicode's compatibility caseless match (D146).
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    folded = _ACCENTS.sub("", unicodedata.normalize("NFKD", bare)).translate(_ALIKE)
    spaced = "".join(_letter_or_space(character) for character in folded)
    return " ".join(spaced.split())


def _letter_or_space(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # invisible: joiners and direction marks
        return ""
    return " " if category[0] in "PSZC" else character


_NORMALIZED_WORDS = frozenset(normalize(word) for words in WORDS.values() for word in words)


def is_opt_out(text: str | None, own_words: Collection[str] = ()) -> bool:
    """Whether a message consists only of an opt-out word: one of `WORDS`, or of the package's `own_words`."""
    if text is None or len(text) > CHARACTERS_MAX:
        return False
    normalized = normalize(text)
    is_word = normalized in _NORMALIZED_WORDS or any(normalized == normalize(word) for word in own_words)
    return bool(normalized) and is_word
