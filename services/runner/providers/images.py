"""Images as providers take them: in the message itself, in base64, before the words about them."""

import base64

from msgspec import Struct

from libs.contracts import runs


class Url(Struct, frozen=True):
    url: str


class ImageUrl(Struct, frozen=True, tag="image_url"):
    image_url: Url


class Source(Struct, frozen=True):
    media_type: str
    data: str
    type: str = "base64"


class Image(Struct, frozen=True, tag="image"):
    source: Source


class Text(Struct, frozen=True, tag="text"):
    text: str


def openai(message: runs.Message) -> str | list[ImageUrl | Text]:
    """The content of a message of the chat completions protocol."""
    if not message.images:
        return message.content
    urls = [Url(f"data:{image.media_type};base64,{_base64(image)}") for image in message.images]
    return [*map(ImageUrl, urls), *_words(message)]


def anthropic(message: runs.Message) -> str | list[Image | Text]:
    """The content of a turn of the messages protocol."""
    if not message.images:
        return message.content
    return [*(Image(Source(image.media_type, _base64(image))) for image in message.images), *_words(message)]


def _base64(image: runs.Image) -> str:
    return base64.b64encode(image.content).decode()


def _words(message: runs.Message) -> list[Text]:
    return [Text(message.content)] if message.content else []
