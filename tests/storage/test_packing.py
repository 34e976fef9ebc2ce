import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.json import canonical, decode
from karkhana.storage.packing import LIMIT, blob_names, pack, pack_small, plain_json, unpack, unpack_small


class Store(dict[str, bytes]):
    """Blobs by a running number."""

    def keep(self, content: bytes) -> str:
        name = str(len(self))
        self[name] = content
        return name


@pytest.mark.parametrize(("text", "blobs"), [("x" * LIMIT, 0), ("x" * (LIMIT + 1), 1), ("ü" * (LIMIT // 2 + 1), 1)])
def test_the_limit_counts_bytes(text, blobs):
    store = Store()
    packed = pack({"a": [text]}, store.keep, bytes)
    assert len(store) == blobs == len(list(blob_names(packed)))
    assert unpack(packed, store.__getitem__) == {"a": [text]}


def test_small_bytes_are_redacted_before_nobody_can_read_them():
    packed = pack({"out": b"secret"}, Store().keep, lambda data: data.replace(b"secret", b"-"))
    assert packed == {"out": "LQ=="}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=[])), inner),
    max_leaves=10,
)


@given(values, st.integers(0, 30))
def test_whatever_is_packed_survives_json(value, limit):
    store = Store()
    through = decode(canonical(pack(value, store.keep, bytes, limit)), object)
    assert unpack(through, store.__getitem__) == value
    assert sorted(blob_names(through), key=int) == sorted(store, key=int)


@given(st.lists(values | st.binary(max_size=3)) | st.dictionaries(st.text(), values), st.integers(0, 60))
def test_what_needs_no_packing_is_what_packing_would_give(value, limit):
    store = Store()
    packed = canonical(pack(value, store.keep, bytes, limit))
    assert plain_json(value, limit) in (None, packed)
    if len(packed) <= limit and packed.isascii() and b"$" not in packed:
        assert not store
        assert (plain_json(value, limit) is None) == any(item for item in value if isinstance(item, bytes))


@given(values)
def test_data_in_one_piece(value):
    assert unpack_small(decode(canonical(pack_small(value)), object)) == value
