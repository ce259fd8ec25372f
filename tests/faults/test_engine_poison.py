"""What one record does to a batch, it does to itself only."""

from __future__ import annotations

from tests.faults.toyrun import ToyRun


def test_poison_becomes_a_dead_letter_and_the_rest_goes_on(toy: ToyRun) -> None:
    toy.feed(1000)
    for number in range(5):
        toy.raw(b"p%d" % number, b"p%d poison" % number)
    toy.feed(1000, seed=2)

    toy.run_until_done(dead=True)

    assert toy.answer() == toy.expected()
    assert sorted(value for _, value in toy.read(f"{toy.name}-dead") if value) == [b"p%d poison" % number for number in range(5)]


def test_an_output_that_is_too_large_is_isolated_as_poison_is(toy: ToyRun) -> None:
    toy.feed(500)
    toy.raw(b"large", b"large 666")
    toy.feed(500, seed=2)

    toy.run_until_done(dead=True)

    assert toy.answer() == toy.expected()
    assert [value for _, value in toy.read(f"{toy.name}-dead")] == [b"large 666"]


def test_an_output_that_the_broker_refuses_is_isolated_as_poison_is(toy: ToyRun) -> None:
    toy.feed(500)
    toy.raw(b"large", b"large 666")
    toy.feed(500, seed=2)

    toy.run_until_done(dead=True, record_bytes_max=16 << 20)

    assert toy.answer() == toy.expected()
    assert [value for _, value in toy.read(f"{toy.name}-dead")] == [b"large 666"]


def test_poison_nobody_answers_for_ends_the_worker_with_its_reason(toy: ToyRun) -> None:
    toy.raw(b"p", b"p poison")
    toy.flush()

    process = toy.worker()

    assert process.wait(30) == 1
    assert "cannot be processed: ValueError at toy.py:" in toy.log(process)
