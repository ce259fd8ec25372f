"""Reads JSON lines, plain or gzip. Its rule: one bad line costs one refusal, and no line, however long, costs more memory than a record may hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.jsonl import mapping
from connectors.runtime.files import open_binary
from connectors.runtime.sources import Ready, Refused
from schemas.interaction import RECORD_BYTES_MAX

TOO_LONG = f"a line of more than {RECORD_BYTES_MAX:,} bytes"


class JsonLines:
    """The reader `jsonl`."""

    name = "jsonl"

    def read(self, path: Path) -> Iterator[bytes]:
        """The lines without their ends; blank ones are none. Of a line beyond a record's limit, the limit and one byte more."""
        with open_binary(path) as file:
            while line := file.readline(RECORD_BYTES_MAX + 1):
                rest = line
                while len(rest) > RECORD_BYTES_MAX and not rest.endswith(b"\n"):
                    rest = file.readline(RECORD_BYTES_MAX + 1)
                line = line.rstrip(b"\r\n")
                if line.strip():
                    yield line

    def map(self, item: bytes) -> Sequence[Ready | Refused]:
        """One interaction or one refusal."""
        return (Refused("too_large", item, TOO_LONG) if len(item) > RECORD_BYTES_MAX else mapping.interaction(item),)

    def times(self, path: Path) -> Iterator[int | None]:
        """When each line says that it occurred."""
        for line in self.read(path):
            yield mapping.occurred_at(line)


READER = JsonLines()
