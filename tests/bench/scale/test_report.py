"""Aims of the scale bench are judged by cases of one run; rows are as large as they are said to be."""

from __future__ import annotations

from tests.bench.scale.case import Case, Kept
from tests.bench.scale.load import ROW_BYTES, interactions, key, row
from tests.bench.scale.report import Found, aims
from tests.bench.scale.worker import Counts


def kept(customers: int, partitions: int, workers: int, per_second: float, cpu: float, memory: int = 1 << 20) -> Kept:
    return Kept(Case(customers, partitions, workers), 1.0, per_second, cpu, memory, 0.0)


def test_what_was_hoped_is_judged_and_what_was_not_measured_is_not() -> None:
    small, base = kept(10_000, 4, 1, 100.0, 10.0), kept(100_000, 4, 1, 90.0, 10.0)

    said = aims(
        Found(
            1,
            [
                small,
                base,
                kept(10_000_000, 4, 1, 40.0, 30.0, 2_000 << 20),
                kept(100_000, 64, 1, 90.0, 10.5),
                kept(100_000, 4, 2, 90.0, 12.0),
            ],
        )
    )

    assert [aim.rsplit(" ", 1)[1] for aim in said] == ["MISSED", "MISSED", "met", "MISSED"]
    assert "2.50" in said[0] and "2,000 MiB" in said[1] and "64 partitions 1.05" in said[2] and "2 workers together 1.20" in said[3]
    assert aims(Found(1, [small])) == []


def test_a_row_has_300_bytes_with_its_key_and_can_be_counted_up() -> None:
    for customer in (0, 7, 9_999_999):
        assert len(Counts.tag + key(customer)) + len(row(customer)) == ROW_BYTES
        assert Counts.decode(row(customer)).n == 0


def test_interactions_lie_where_the_row_of_their_customer_does() -> None:
    assert all(int(named.rsplit(b"-", 1)[1]) % 4 == partition for partition, named, _ in interactions(200, 1000, 4))
