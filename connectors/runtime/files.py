"""Files as bytes: plain or gzip, told apart by their first bytes, never by their name."""

import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 20


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked if it is packed; OSError where there is none."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    # The outer buffer gives lines at C speed; gzip's own does not.
    return io.BufferedReader(cast(io.RawIOBase, gzip.open(path, "rb")), _BUFFER_BYTES) if packed else path.open("rb")
