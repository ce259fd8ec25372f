"""What one record does to a batch, it does to itself only."""

from __future__ import annotations

import pytest

from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun


def test_poison_becomes_a_dead_letter_and_the_rest_goes_on(toy: ToyRun) -> None:
    toy.feed(1000)
    for number in range(5):
        toy.raw(b"p%d" % number, b"p%d poison" % number)
    toy.feed(1000, seed=2)
    for _ in range(5):
        toy.suffers("poison")

    toy.run_until_done(dead=True)

    toy.assert_exact()
    assert sorted(value for _, value in toy.read(f"{toy.name}-dead") if value) == [b"p%d poison" % number for number in range(5)]


def test_an_output_that_is_too_large_is_isolated_as_poison_is(toy: ToyRun) -> None:
    toy.feed(500, keys=30)
    toy.raw(b"large", b"large 666")
    toy.feed(500, keys=30, seed=2)
    toy.suffers("too large")

    toy.run_until_done(dead=True)

    toy.assert_exact()
    assert [value for _, value in toy.read(f"{toy.name}-dead")] == [b"large 666"]


def test_an_output_that_the_broker_refuses_is_isolated_as_poison_is(toy: ToyRun) -> None:
    toy.feed(500, keys=30)
    toy.raw(b"large", b"large 666")
    toy.feed(500, keys=30, seed=2)
    toy.suffers("too large")

    toy.run_until_done(dead=True, record_bytes_max=16 << 20)

    toy.assert_exact()
    assert [value for _, value in toy.read(f"{toy.name}-dead")] == [b"large 666"]


@pytest.mark.parametrize("record_bytes_max", [4 << 20, pytest.param(32 << 20, marks=pytest.mark.faults)])
def test_a_row_that_is_too_large_is_isolated_as_poison_is(toy: ToyRun, record_bytes_max: int) -> None:
    toy.feed(500, keys=30)
    toy.raw(b"large", b"large 777")
    toy.feed(500, keys=30, seed=2)
    toy.suffers("too large")

    toy.run_until_done(dead=True, record_bytes_max=record_bytes_max)  # The broker refuses it where the engine does not.

    toy.assert_exact()
    assert [value for _, value in toy.read(f"{toy.name}-dead")] == [b"large 777"]


@pytest.mark.faults
def test_records_near_the_limit_pass_and_what_they_make_too_large_is_isolated(toy: ToyRun) -> None:
    limit = 4 << 20
    for number in range(4):
        toy.feed(200, keys=30, seed=number)
        key = b"wide%d" % number
        toy.number(key, number, padding=limit - 4000)
        toy.raw(key, key + b" " * (limit - 300) + b"9")  # With what its forwarding adds no message may be so large.
    toy.flush()
    for _ in range(4):
        toy.suffers("too large")

    toy.run_until_done(dead=True, batch_bytes_max=1 << 20, fetch_bytes_max=1 << 20)

    toy.assert_exact()
    assert len(toy.read(f"{toy.name}-dead")) == 4


def test_poison_nobody_answers_for_ends_the_worker_with_its_reason(toy: ToyRun) -> None:
    toy.raw(b"p", b"p poison")
    toy.flush()

    process = toy.worker()

    assert process.wait(DEADLINE_SECONDS) == 1
    assert "cannot be processed: ValueError at toy.py:" in toy.log(process)
