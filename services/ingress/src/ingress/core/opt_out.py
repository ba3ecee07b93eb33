"""Opt-out word: what a customer writes, and nothing else, who wants no more messages from a business."""

import re
import unicodedata
from collections.abc import Collection, Mapping

CHARACTERS_MAX = 80
"""A longer message is no word, whatever it says."""

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
        # the first seven by law, whatever else they may mean: 47 CFR 64.1200(a)(10)
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
"""By language; every word holds in every package, since nobody asks a customer for a language.

A word is here if senders of its language print it as the word to opt out by, or if it can mean nothing else. So these
are not: alto (high), keluar (exit), remover and हटाओ (an item), وقف (an endowment), çıkış (check-out), çık (in Malay,
Miss), dur (wait; in French, hard), plus de messages (more of them, or none).
"""

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
