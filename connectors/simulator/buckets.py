"""Sorts more lines than memory holds. The rule this module owns: at most one bucket of time, and one buffer, is in memory.

Lines go to the bucket of their arrival, buckets to disk; each is sorted when its turn comes.
"""

from collections.abc import Iterator
from pathlib import Path

BUFFER_BYTES = 24 * 1024 * 1024
_PLACE_DIGITS = 15


class Buckets:
    """Lines by the millisecond of their arrival; `directory` holds what memory does not, and may be removed afterwards."""

    def __init__(self, directory: Path, width_ms: int) -> None:
        self._directory = directory
        self._width_ms = width_ms
        self._buffers: dict[int, list[bytes]] = {}
        self._buffered_bytes = 0
        self._on_disk: set[int] = set()

    def put(self, arrival_ms: int, line: bytes) -> None:
        """Keep a line, which holds no line feed, for its time."""
        placed = b"%015d%b\n" % (arrival_ms, line)
        self._buffers.setdefault(arrival_ms // self._width_ms, []).append(placed)
        self._buffered_bytes += len(placed)
        if self._buffered_bytes > BUFFER_BYTES:
            self._spill()

    def drain(self) -> Iterator[list[bytes]]:
        """All lines, with their line feeds, in the order of arrival; ties by their bytes. Comes in portions."""
        for bucket in sorted(self._on_disk | self._buffers.keys()):
            lines = self._buffers.pop(bucket, [])
            if bucket in self._on_disk:
                with self._file(bucket).open("rb") as file:
                    lines.extend(file)
                self._file(bucket).unlink()
            lines.sort()
            yield [line[_PLACE_DIGITS:] for line in lines]

    def _spill(self) -> None:
        for bucket, lines in self._buffers.items():
            with self._file(bucket).open("ab") as file:
                file.writelines(lines)
        self._on_disk.update(self._buffers)
        self._buffers.clear()
        self._buffered_bytes = 0

    def _file(self, bucket: int) -> Path:
        return self._directory / f"{bucket:06d}"
