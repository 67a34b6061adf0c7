"""The pieces that a message's content is made of. Pure; raises nothing but Fault.

The rule: an image comes inside the request, as a `data:` URL. Nothing is fetched for a message, and nothing left out.
"""

from msgspec import Struct

from libs.contracts import runs
from libs.contracts.faults import Code, Fault
from services.gateway import attachments
from services.gateway.http import inline, params

_TEXTS = frozenset({"text", "input_text", "output_text", "refusal"})
_IMAGES = frozenset({"image_url", "input_image"})


class Part(Struct, frozen=True):
    type: str
    text: str = ""
    url: str = ""


class Content(Struct, frozen=True):
    text: str
    images: list[runs.Image] = []


def content(given: str | list[Part], role: str, *, field: str) -> Content:
    """Raises Fault INVALID for what is neither text nor, in a user's message, an image."""
    if isinstance(given, str):
        return Content(given)
    texts: list[str] = []
    images: list[runs.Image] = []
    for place, part in enumerate(given):
        if part.type in _TEXTS:
            texts.append(part.text)
        elif part.type in _IMAGES and role == "user":
            images.append(_image(part.url, len(images) + 1, f"{field}[{place}].image_url"))
        else:
            kind = params.shown(part.type)
            message = f"A message of the {params.shown(role)}'s holds nothing of the kind {kind!r} here."
            raise Fault(Code.INVALID, message, field=f"{field}[{place}].type")
    return Content("".join(texts), images)


def _image(url: str, number: int, field: str) -> runs.Image:
    if not url.startswith("data:"):
        raise Fault(Code.INVALID, "Send the image itself, as data:<media type>;base64,<base64>.", field=field)
    file = inline.file(url, name=f"image {number}", field=field)
    given = attachments.File(f"image {number}", b"".join(inline.decoded(file, field=field)))
    try:
        kind = attachments.media_type(given)
    except Fault as fault:
        raise Fault(fault.code, fault.message, field=field) from None
    if not kind.startswith("image/"):
        raise Fault(Code.INVALID, "This is no image: send a JPEG, PNG, GIF or WebP image.", field=field)
    return runs.Image(given.name, kind, given.content)
