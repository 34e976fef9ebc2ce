"""Images within an address. Knows nothing of wires.

Source: RFC 2397.

>>> image_of("data:image/png;base64,AA==", "url").data
b'\\x00'
"""

import base64

from karkhana.domain.chat import Cache, Image
from karkhana.routing.wires.wire import BadRequest


def data_url(image: Image) -> str:
    """The image as an address that holds it."""
    return f"data:{image.media_type or 'image/png'};base64,{base64_of(image)}"


def base64_of(image: Image) -> str:
    return base64.b64encode(image.data).decode("ascii")


def image_of(url: str, field: str, cache: Cache = Cache.NONE) -> Image:
    """An image by address, or the one that a ``data:`` address holds. Raises ``BadRequest``."""
    if not url.startswith("data:"):
        return Image(url=url, cache=cache)
    head, _, data = url[5:].partition(",")
    return Image(media_type=head.split(";")[0], data=bytes_of(data, field), cache=cache)


def bytes_of(data: str, field: str) -> bytes:
    """What base64 says. Raises ``BadRequest``."""
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise BadRequest(f"{field} holds no base64: {error}", field) from error
