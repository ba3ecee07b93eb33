"""Opt-out phrases: words of several languages by which a possible opt-out is found."""

OPT_OUT_EMOJI = frozenset("🛑⛔🚫🔕📵🚷")

UNMISTAKABLE = (
    "stop", "stopp", "unsubscribe", "unsubscribed", "opt out", "optout", "baja", "descadastrar", "désabonner",
    "désabonnement", "désinscription", "berhenti", "unreg", "durdur", "durdurun", "abmelden", "abbestellen",
    "توقف", "توقفوا", "أوقفوا", "रोकें", "बंद करो", "बंद करें", "بند کریں", "بند کرو", "روکیں",
)  # fmt: skip
"""At the beginning or the end of a short message, these words almost always ask for no more messages."""

OTHER_MATTERS = (
    "by", "at", "in", "near", "here", "order", "orders", "delivery", "payment", "bus", "car", "don", "dont", "not",
    "never", "when", "california", "norte", "pedido", "entrega", "commande", "bestellung", "pesanan", "sipariş",
    "طلب", "الطلب", "طلبي", "لا", "ऑर्डर", "آرڈر",
)  # fmt: skip
"""A short message with one of these words is probably about something else, even if it begins with "stop"."""

MISSPELLED = frozenset(
    {
        *("sotp", "stpo", "stp", "stopt", "stopo", "stap", "stope", "stops", "stoped", "stopped", "tsop", "stob"),
        *("unsub", "unsubcribe", "unsuscribe", "unsubscibe", "unsubscrib", "unsubsribe", "unsuscrib", "desuscribir"),
        *("desuscribirme", "descadastra", "descadastro"),
    }
)

COURTESIES = (
    # English
    "please", "pls", "plz", "kindly", "thanks", "thank you", "thankyou", "thx", "ty", "ok", "okay", "hi", "hello",
    "hey", "dear", "sir", "madam", "team", "guys", "now", "immediately", "right now", "it", "this", "that", "me", "all",
    "i said", "yes", "no", "good morning", "sorry",
    # Spanish
    "por favor", "porfavor", "gracias", "muchas gracias", "hola", "ya", "buenas", "buenos días", "favor",
    # Portuguese
    "obrigado", "obrigada", "oi", "olá", "agora", "já", "bom dia", "boa tarde", "pfv", "pf",
    # French
    "merci", "bonjour", "svp", "stp", "s'il vous plaît", "s'il te plaît", "maintenant",
    # German
    "bitte", "danke", "hallo", "jetzt", "sofort", "vielen dank",
    # Indonesian
    "tolong", "mohon", "terima kasih", "makasih", "kak", "min", "dong", "halo", "ya",
    # Turkish
    "lütfen", "teşekkürler", "teşekkür ederim", "sağol", "merhaba", "artık",
    # Arabic
    "من فضلك", "من فضلكم", "لو سمحت", "لو سمحتم", "لو سمحتوا", "شكرا", "شكرا لكم", "رجاء", "الرجاء", "ارجو", "الان",
    "السلام عليكم", "مرحبا", "تكفون", "خلاص",
    # Hindi
    "कृपया", "धन्यवाद", "प्लीज", "प्लीज़", "अभी", "जी", "भाई", "नमस्ते", "ji", "bhai", "kripya", "dhanyavaad",
    # Urdu
    "براہ کرم", "مہربانی", "پلیز", "شکریہ", "جی", "بھائی", "ابھی",
)  # fmt: skip
"""Words that customers write beside an opt-out word without changing its meaning."""

STOPPING_WORDS: tuple[tuple[str, ...], ...] = (
    # English
    ("stop*", "cancel", "unsubscribe*", "remove", "delete", "end", "quit", "no more", "don't send", "dont send",
     "do not send", "don't want", "dont want", "do not want", "never", "not interested", "opt out", "don't", "do not",
     "leave"),
    # Spanish
    ("parar", "pare", "paren", "para de", "deja", "deje", "dejen", "dejar", "detener", "detengan", "cancel*", "quit*",
     "elimin*", "borr*", "saca*", "no quiero", "no más", "no me", "ya no", "baja", "stop"),
    # Portuguese
    ("parar", "pare", "parem", "para de", "cancel*", "remov*", "tira*", "exclu*", "sair", "não quero", "não me",
     "chega", "interromp*", "não envi*", "não mand*", "stop"),
    # French
    ("arrêt*", "stop*", "supprim*", "retir*", "annul*", "résili*", "ne veux plus", "plus de", "ne m", "cess*",
     "désabonn*", "plus recevoir", "désinscri*"),
    # German
    ("stop*", "beenden", "kündig*", "abbestell*", "abmeld*", "lösch*", "entfern*", "kein*", "aufhören", "hört auf",
     "nicht mehr", "austragen"),
    # Indonesian
    ("stop", "berhenti", "hentikan", "jangan", "batal*", "hapus*", "keluar*", "tidak mau", "ga mau", "gak mau"),
    # Turkish
    ("durdur*", "iptal", "istemiyor*", "çık*", "sil*", "kes*", "kaldır*", "atma*", "gönderme*", "yazma*", "stop"),
    # Hindi
    ("बंद", "रोक*", "हटा*", "मत", "नहीं चाहिए", "रद्द", "band", "bandh", "roko", "mat", "hatao", "nahi chahiye", "stop"),
    # Urdu
    ("بند", "روک*", "ہٹا*", "مت", "نہ", "نہیں", "ختم", "سٹاپ", "اسٹاپ"),
    # Arabic
    ("إلغاء", "الغي", "الغوا", "الغ", "ايقاف", "اوقف*", "وقف", "وقفو*", "توقف*", "احذف*", "حذف", "ازل*", "امسح*",
     "شيل*", "بطل*", "كفايه", "كفى", "لا اريد", "لا ارغب", "لا اود", "مش عايز*", "مش عاوز*", "ما ابي", "مابي",
     "ما ابغى", "مابغى", "ما بدي", "لا ترسل*", "لا تبعت*", "لا تراسل*", "متبعت*", "ماتبعت*", "ستوب"),
)  # fmt: skip
"""Words that ask to end something, by language. A `*` means that the word may go on with any letters."""

STOPPED_THINGS: tuple[tuple[str, ...], ...] = (
    # English
    ("promo*", "offers", "ads", "adverts", "advert*", "marketing", "message*", "msg*", "messaging", "text", "texts",
     "texting", "texted", "sms", "spam*", "newsletter*", "broadcast*", "subscription*", "list", "campaign*",
     "notification*", "sending", "contact", "contacting", "number", "whatsapp", "subscribe*"),
    # Spanish
    ("mensaje*", "promo*", "publicidad", "spam", "ofertas", "lista", "suscrip*", "mandar*", "mandando", "manden",
     "envi*", "escrib*", "notificacion*", "anuncios", "número", "whatsapp", "molest*"),
    # Portuguese
    ("mensage*", "msg*", "promo*", "ofertas", "propaganda*", "publicidade", "spam", "lista", "inscrição", "assinatura",
     "mandar*", "mandando", "mande*", "envi*", "notificaç*", "anúncios", "número", "whatsapp", "contato*"),
    # French
    ("message*", "pub", "pubs", "publicité*", "promo*", "offres", "abonnement*", "liste", "envo*", "écri*", "contact*",
     "sms", "spam", "newsletter", "notification*", "numéro"),
    # German
    ("werbung", "nachricht*", "newsletter", "angebote", "promo*", "werbeaktion*", "abo", "abonnement", "liste",
     "verteiler", "nummer", "spam", "sms", "schreib*", "schick*", "kontakt*"),
    # Indonesian
    ("pesan", "promo*", "iklan*", "spam", "kirim*", "langganan", "berlangganan", "nomor*", "daftar", "wa", "chat",
     "broadcast", "sms"),
    # Turkish
    ("mesaj*", "reklam*", "promosyon*", "kampanya*", "bildirim*", "abonelik*", "abonelig*", "üyelik*", "liste*",
     "numara*", "sms", "spam"),
    # Hindi
    ("मैसेज*", "मेसेज*", "संदेश*", "प्रमोशन*", "विज्ञापन*", "ऑफर*", "सदस्यता", "सब्सक्रिप्शन", "लिस्ट", "नंबर", "भेज*",
     "message*", "msg*", "promo*", "offer*", "bhej*", "ads", "sms"),
    # Urdu
    ("میسج*", "میسیج*", "پیغام*", "پروموشن*", "اشتہار*", "آفر*", "سبسکرپشن", "لسٹ", "نمبر", "بھیج*", "message*"),
    # Arabic
    ("اشتراك*", "الاشتراك*", "رساله*", "رسائل*", "الرسائل", "رسايل*", "الرسايل", "عروض*", "العروض", "اعلان*",
     "الاعلان*", "دعايه", "الدعايه", "الدعايات", "ترويج*", "الترويج*", "القائمه", "قائمه", "رقمي", "ارسال", "الارسال",
     "مراسلت*", "ترسل*", "تبعت*", "سبام", "اشعارات", "الاشعارات", "تنبيهات", "برومو*"),
)  # fmt: skip
"""Words for what a customer wants to end, by language. The order of the languages is that of `STOPPING_WORDS`."""
