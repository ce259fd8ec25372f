"""What is copied, what is left out, and how much of that a run has done that was broken off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas import rewritten, topics
from schemas.rewritten import Rewritten
from streams.replay.reading import Message
from streams.rewrite import moving
from streams.rewrite.moving import Copies, Moved

HOLDS = b"ann"


class Written:
    """A writer that remembers."""

    def __init__(self) -> None:
        self.copies: list[tuple[bytes | None, Rewritten | None]] = []
        self.commits = 0

    def copy(self, message: Message, header: tuple[str, bytes]) -> None:
        self.copies.append((message.value, rewritten.of([header])))

    def commit(self) -> None:
        self.commits += 1


def record(offset: int, value: bytes, moved: Rewritten | None = None, at_ms: int = 500) -> Message:
    headers = [] if moved is None else [rewritten.header(moved)]
    return Message(topics.STAGES, 3, offset, b"k", value, headers, at_ms)


def holds(message: Message) -> bool:
    return message.value == HOLDS


def copy(
    messages: Sequence[Message], since_ms: int = 0, after: Sequence[Message] = (), **readers: int
) -> tuple[list[tuple[bytes | None, Rewritten | None]], Moved]:
    written: Any = Written()
    done = moving.copy(written, messages, 100, holds, Copies([*messages, *after]), readers, since_ms, lambda _: None)
    assert written.commits == 1
    return written.copies, done


def test_what_holds_nobody_is_copied_with_its_place_and_who_had_read_it() -> None:
    copies, done = copy([record(0, b"a"), record(1, HOLDS), record(7, b"bb")], crm=9, slow=7, none=0)

    assert copies == [(b"a", Rewritten(3, 0, 500, ("crm", "slow"), 100)), (b"bb", Rewritten(3, 7, 500, ("crm",), 100))]
    assert done == Moved(2, 5, 1, 4)


def test_a_copy_that_is_copied_lay_where_it_was_first_and_was_read_by_both() -> None:
    copies, _ = copy([record(90, b"a", Rewritten(3, 4, 200, ("early",))), record(91, HOLDS)], crm=95)

    assert copies == [(b"a", Rewritten(3, 4, 200, ("crm", "early"), 100))]


def test_no_copy_begins_a_retention_anew_that_is_over() -> None:
    copies, done = copy([record(90, b"old", Rewritten(3, 4, 200)), record(91, b"new")], since_ms=300)

    assert [value for value, _ in copies] == [b"new"]
    assert (done.moved, done.removed) == (1, 0)


def test_what_a_run_had_copied_that_was_broken_off_is_not_copied_twice() -> None:
    before = [record(0, b"a"), record(1, HOLDS), record(2, b"b")]

    copies, done = copy(before, after=[record(9, b"a", Rewritten(3, 0, 500, (), 3))])

    assert [value for value, _ in copies] == [b"b"]
    assert (done.moved, done.removed) == (2, 1)


def test_who_only_says_that_it_is_a_copy_takes_nobodys_place() -> None:
    copies, _ = copy([record(0, b"a"), record(1, HOLDS)], after=[record(9, b"another", Rewritten(3, 0, 500, (), 3))])

    assert [value for value, _ in copies] == [b"a"]


def test_where_the_records_are_gone_their_copies_are_the_records() -> None:
    moved = [record(9, b"a", Rewritten(3, 0, 500, (), 8)), record(10, b"a", Rewritten(3, 0, 500, (), 8))]

    assert Copies(moved, begin=7).has(moved[0]) and not Copies(moved, begin=7).has(moved[1])
    assert not Copies(moved, begin=8).has(moved[0])
