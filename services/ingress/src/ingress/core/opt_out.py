"""Opt-out word: what a customer writes, and nothing else, who wants no more messages from a business."""

import re
import unicodedata
from collections.abc import Collection, Mapping

CHARACTERS_MAX = 80
"""A longer message is no word, whatever it says."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "ar": (
        "إلغاء", "إلغاء الاشتراك", "الغاء اشتراكي", "توقف", "توقفوا", "أوقف", "أوقفوا", "إيقاف", "إيقاف الرسائل", "قف",
        "وقف", "لا أريد رسائل", "احذفني",
    ),
    "en": (
        "stop", "stop all", "stopall", "unsubscribe", "unsubscribe me", "opt out", "opt-out", "optout", "remove me",
        "cancel", "end", "quit", "revoke", "please stop", "stop please", "no more messages",
    ),
    "es": (
        "baja", "dar de baja", "darme de baja", "parar", "pare", "paren", "alto", "detener", "cancelar",
        "cancelar suscripción", "no más mensajes", "salir",
    ),
    "pt": (
        "sair", "parar", "pare", "parem", "cancelar", "cancelar inscrição", "descadastrar", "descadastre-me", "remover",
        "não quero mais mensagens",
    ),
    "fr": (
        "arrêt", "arrêter", "arrêtez", "désabonner", "se désabonner", "me désabonner", "désabonnement", "désinscrire",
        "désinscription", "plus de messages",
    ),
    "id": (
        "berhenti", "berhenti berlangganan", "hentikan", "stop pesan", "batal langganan", "batalkan langganan",
        "keluar",
    ),
    "hi": (
        "रोकें", "रोको", "रोक दो", "बंद करो", "बंद करें", "बंद कर दो", "मैसेज बंद करो", "सदस्यता रद्द करें", "हटाओ", "band karo",
        "roko",
    ),
    "tr": (
        "dur", "durdur", "durdurun", "iptal", "ret", "çık", "çıkış", "abonelikten çık", "üyelikten çık",
        "mesaj istemiyorum",
    ),
}  # fmt: skip
"""By language; every word holds in every package, since nobody asks a customer for a language."""

_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u065f\u0670\u0640\ufe0f]")
"""Of Latin and Arabic writing, the tatweel, and what makes an emoji of a sign. Devanagari's signs are its vowels."""
_ALIKE = str.maketrans({"ى": "ي", "ة": "ه", "ı": "i"})


def normal(text: str) -> str:
    """The words of a text without what people write differently: case, accents, punctuation, emoji, spaces."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    folded = _ACCENTS.sub("", unicodedata.normalize("NFKD", bare)).translate(_ALIKE)
    kept = "".join(_kept(character) for character in folded)
    return " ".join(kept.split())


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # joiners and direction marks: nothing to see
        return ""
    return " " if category[0] in "PSZC" else character


_NORMAL = frozenset(normal(word) for words in WORDS.values() for word in words)


def is_opt_out(text: str | None, more: Collection[str] = ()) -> bool:
    """Whether a message is an opt-out word, one of ours or of the package's own (`more`), and nothing else."""
    if text is None or len(text) > CHARACTERS_MAX:
        return False
    said = normal(text)
    return bool(said) and (said in _NORMAL or any(said == normal(word) for word in more))
