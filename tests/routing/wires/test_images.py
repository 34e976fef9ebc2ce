import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import Image
from karkhana.routing.wires.images import bytes_of, data_url, image_of
from karkhana.routing.wires.wire import BadRequest


@given(data=st.binary(max_size=50), kind=st.sampled_from(["image/png", "image/webp"]))
def test_an_address_holds_the_image(data: bytes, kind: str) -> None:
    image = Image(media_type=kind, data=data)
    assert image_of(data_url(image), "url") == image


def test_an_address_is_kept() -> None:
    assert image_of("https://e.test/a.png", "url") == Image(url="https://e.test/a.png")
    assert image_of("data:image/png;charset=x;base64,AA==", "url") == Image(media_type="image/png", data=b"\x00")


@pytest.mark.parametrize("text", ["%%", "A", "AA==\n", "é"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        bytes_of(text, "place")
    assert caught.value.field == "place"
