"""What a run led to, as far as two runs must agree: who is who, what each customer's state is, what stands of all that was said.

The rule this module owns: it holds a hash where it can, never a million values. The same code reads the run that was measured and its reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from schemas import topics
from streams.cli import state
from streams.identity.component import COMPONENT, settled
from streams.rows import FOLD
from tests.pipeline.outcome import OUTSIDE_THE_LAW

WANTED_TAGS = (FOLD.tag, COMPONENT.tag)
"""The rows that tell who is who and what each customer's state is."""
EMITTED = {topics.STAGES: "stages", topics.SEGMENTS: "segments", topics.MOMENTS: "moments"}
_ENCODE = msgspec.json.Encoder(order="deterministic").encode


class Led(Struct, frozen=True):
    """Compared field by field: `digest` of all states, `people` a hash over every customer and its identifiers, of each topic of outputs how many
    stand and a hash over them; `moments_by_name`."""

    digest: str
    people: str
    customers: int
    identifiers: int
    standing: dict[str, tuple[int, str]]
    moments_by_name: dict[str, int]


class Standing:
    """Emitted less retracted, of each topic of outputs; fed record by record."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, tuple[int, bool, bytes, str]]] = {topic: {} for topic in EMITTED}

    def hear(self, topic: str, value: bytes) -> None:
        """An output; records of other topics are not."""
        newest = self._newest.get(topic)
        if newest is None:
            return
        said: dict[str, Any] = msgspec.json.decode(value)
        name, revision = said["id"], said["revision"]
        held = newest.get(name)
        if held is None or held[0] < revision:
            content = _ENCODE({field: part for field, part in said.items() if field not in OUTSIDE_THE_LAW})
            newest[name] = (revision, said.get("retracts") is None, blake2b(content, digest_size=16).digest(), said.get("moment", ""))

    def led(self, rows: dict[tuple[int, bytes], bytes]) -> Led:
        """All that a run led to; `rows`: the newest of WANTED_TAGS by (partition, stored key)."""
        people, identifiers, customers = 0, 0, 0
        for (_, key), row in rows.items():
            if key.startswith(COMPONENT.tag):
                for person in settled(COMPONENT.decode(row)):
                    customers += 1
                    identifiers += len(person.members)
                    people += _number(b"".join((person.canonical, *person.members)))
        standing, moments = {}, Counter[str]()
        for topic, name in EMITTED.items():
            stands = {one: content for one, (_, holds, content, _) in self._newest[topic].items() if holds}
            standing[name] = (len(stands), _hex(_number(one.encode() + content) for one, content in stands.items()))
        moments.update(moment for _, holds, _, moment in self._newest[topics.MOMENTS].values() if holds)
        return Led(state.digest_of(rows), _hex([people]), customers, identifiers, standing, dict(sorted(moments.items())))


def difference(found: Led, expected: Led) -> dict[str, tuple[object, object]]:
    """The fields that differ, both sides; nothing where the two runs agree."""
    both = [(name, getattr(found, name), getattr(expected, name)) for name in Led.__struct_fields__]
    return {name: (one, other) for name, one, other in both if one != other}


def _number(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=16).digest(), "big")


def _hex(numbers: Iterable[int]) -> str:
    return (sum(numbers) % (1 << 128)).to_bytes(16, "big").hex()
