"""What is dear to find out about a commit, kept on disk by its name: written as it is found, read again after a kill.

A line that a kill tore apart is passed over. Knows nothing of what is kept.

>>> # Journal(folder / "origins.ndjson", Origins).read()  ->  {"5c1f…": Origins(…)}
"""

from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

Kept = TypeVar("Kept", bound=msgspec.Struct)


class Journal(Generic[Kept]):
    """A file of one JSON object a line, each with the ``commit`` it is about; the last one of a commit counts."""

    def __init__(self, path: Path, kind: type[Kept]) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(kind)
        self._encoder = msgspec.json.Encoder()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+")

    def read(self) -> dict[str, Kept]:
        """Commit → what is kept of it."""
        found: dict[str, Kept] = {}
        self._file.seek(0)
        for line in self._file:
            try:
                kept = self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            found[kept.commit] = kept  # type: ignore[attr-defined]
        return found

    def write(self, kept: Kept) -> None:
        """Keep this too; it is on its way to the disk when the call returns."""
        self._file.write(b"\n" + self._encoder.encode(kept) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
