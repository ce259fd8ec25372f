"""Mending changes what the mapping names and nothing else, and what it cannot mend is counted by why."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas import record as wire
from schemas import topics
from schemas.dead_letter import ORIGINAL_BYTES_MAX, letter
from streams.replay import repair
from streams.replay.reading import Message
from streams.replay.repair import Repair, WrongMapping

MAPPING = """
[bad_timestamp]
rename = { time = "timestamp" }

[bad_amount]
replace = { "properties.currency" = "GBP" }
drop = ["value"]
"""


def dead(reason: str, original: bytes, offset: int = 7, topic: str = topics.INTERACTIONS) -> Message:
    """A dead letter as it lies on its topic."""
    told = letter(reason, "", topic, 1, offset, b"k", original, "2026-03-01T09:00:00.5Z")
    return Message(topics.DEAD_LETTERS, 0, 0, b"", wire.encode(told), (), 0)


def test_a_mapping_is_read_from_toml_and_from_json(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING)
    as_toml = repair.read(tmp_path / "m.toml")
    (tmp_path / "m.json").write_bytes(msgspec.json.encode(as_toml))

    assert as_toml == {
        "bad_timestamp": Repair(rename={"time": "timestamp"}),
        "bad_amount": Repair(replace={"properties.currency": "GBP"}, drop=("value",)),
    }
    assert repair.read(tmp_path / "m.json") == as_toml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[nonsense]\n", "no record is refused as nonsense"),
        ("[bad_amount]\nremove = ['x']\n", "remove"),
        ("[bad_amount]\ndrop = 'x'\n", "drop"),
        ("[bad_amount", "m.toml"),
        ("", "it names no reason"),
    ],
)
def test_a_mapping_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.toml").write_text(text)

    with pytest.raises(WrongMapping, match=said):
        repair.read(tmp_path / "m.toml")


def test_a_field_is_renamed_replaced_or_dropped_and_the_rest_stays_to_the_digit() -> None:
    value = b'{"time":"2026-03-01T09:00:00Z","properties":{"revenue":12.10,"currency":"pound","deep":[1e2,"\\u00e4"]},"value":null}'
    change = Repair(rename={"time": "timestamp"}, replace={"properties.currency": "GBP", "source.system": "till"}, drop=("value",))

    mended = repair.apply(value, change)

    assert mended is not None
    assert b"12.10" in mended
    assert msgspec.json.decode(mended) == {
        "properties": {"revenue": 12.1, "currency": "GBP", "deep": [100, "ä"]},
        "timestamp": "2026-03-01T09:00:00Z",
        "source": {"system": "till"},
    }


@pytest.mark.parametrize("value", [b"", b"{broken", b"[]", b"1", b'"text"', b'{"other":1}', b'{"properties":3}', b"\xff", b"[" * 3_000])
def test_where_there_is_nothing_to_change_nothing_is(value: bytes) -> None:
    assert repair.apply(value, Repair(rename={"time": "timestamp"}, drop=("properties.x",))) is None


def test_letters_are_mended_once_by_place_and_counted() -> None:
    repairs = {"bad_timestamp": Repair(rename={"time": "timestamp"})}
    long = b'{"time":1,"text":"' + b"x" * ORIGINAL_BYTES_MAX + b'"}'

    found = repair.mend(
        [
            dead("bad_timestamp", b'{"time":1}'),
            dead("bad_timestamp", b'{"time":1}'),
            dead("bad_timestamp", b'{"when":1}', 8),
            dead("bad_timestamp", long, 9),
            dead("no_event", b'{"time":1}', 10),
            dead("bad_timestamp", b'{"time":1}', 11, topics.COMMANDS),
        ],
        repairs,
    )

    assert {place: one.value for place, one in found.mended.items()} == {(1, 7): b'{"timestamp":1}'}
    assert found.mended[1, 7].key == b"k"
    assert found.mended[1, 7].timestamp_ms == 1_772_355_600_500
    assert dict(found.repaired) == {"bad_timestamp": 1}
    assert dict(found.left) == {"nothing_to_change": 1, "cut_short": 1, "not_in_the_mapping": 1}
