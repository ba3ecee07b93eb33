"""File name: the name under which a gateway gets a file. Its extension fits the type of the file.

Some gateways derive the type from the extension. A phone cannot open a document whose name has none.
"""

from collections.abc import Mapping

_OFFICE = "application/vnd.openxmlformats-officedocument."
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "audio/aac": ("aac",),
    "audio/amr": ("amr",),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a",),
    "audio/ogg": ("ogg",),
    "video/mp4": ("mp4",),
    "video/3gpp": ("3gp",),
    "text/plain": ("txt", "csv", "log", "md"),
    "application/pdf": ("pdf",),
    "application/msword": ("doc",),
    "application/vnd.ms-excel": ("xls",),
    "application/vnd.ms-powerpoint": ("ppt",),
    f"{_OFFICE}wordprocessingml.document": ("docx",),
    f"{_OFFICE}spreadsheetml.sheet": ("xlsx",),
    f"{_OFFICE}presentationml.presentation": ("pptx",),
}
"""The extensions of each type that WhatsApp takes, the usual one first."""


VOICE = "audio/ogg; codecs=opus"
"""The type of a voice message. Without the codec, WhatsApp may refuse the file or show it as an audio file."""


def file_name(kind: str, mime_type: str, given: str | None) -> str:
    """The given name. If it does not end with an extension of the type, the usual extension is added. The default name
    is the kind of content, for example `document.pdf`."""
    extensions = EXTENSIONS.get(mime_type.partition(";")[0], ())
    name = (given or "").strip().rstrip(".") or kind
    if kind == "voice" and extensions:  # in small letters, because WhatsApp shows other names as audio files
        stem, dot, extension = name.rpartition(".")
        return f"{stem if dot and extension.lower() in extensions else name}.{extensions[0]}"
    if not extensions or name.rpartition(".")[2].lower() in extensions:
        return name
    return f"{name}.{extensions[0]}"
