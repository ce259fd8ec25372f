"""Without transactions, killed anywhere: outputs may come again, none is lost, and no number is ever counted twice."""

from __future__ import annotations

import shutil
import signal
import time

import msgspec
import pytest

from streams.engine.failpoints import WITHOUT_TRANSACTIONS
from streams.engine.journal import END_KEY
from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun

ONCE = ("after_fence", "after_restore", "after_position", "during_restore")
"""Reached once a partition and start; the others once a batch."""
GUARANTEE = "at_least_once"
FAULT = "fail point, at least once"


def test_killed_at_every_fail_point_in_turn_no_number_counts_twice(toy: ToyRun) -> None:
    toy.feed(2000, to="keyed")
    toy.run_until_done(guarantee=GUARANTEE)

    for number, name in enumerate(WITHOUT_TRANSACTIONS):
        toy.feed(2000, seed=number, to="keyed")
        if number % 3 == 2 or name == "during_restore":
            shutil.rmtree(toy.state_dir)
        toy.run_until_killed(f"{name}:{1 if name in ONCE else 6}:kill", FAULT, guarantee=GUARANTEE)
    toy.run_until_done(guarantee=GUARANTEE)

    toy.assert_exact(outputs_once=False)
    assert toy.answer()[1] - toy.outputs, "the kill between outputs and rows must have sent some outputs twice"


def test_killed_between_two_agents_what_is_forwarded_again_is_known_again(toy: ToyRun) -> None:
    toy.feed(2000)
    toy.run_until_done(guarantee=GUARANTEE, once=True)

    for number, name in enumerate(("after_outputs", "after_changelog", "during_commit", "after_outputs")):
        toy.feed(4000, seed=number)
        toy.run_until_killed(f"{name}:{5 + number}:kill", FAULT, guarantee=GUARANTEE, once=True)
    toy.run_until_done(guarantee=GUARANTEE, once=True)

    toy.assert_exact(outputs_once=False)


@pytest.mark.parametrize("name", ["after_outputs", "after_changelog", "before_commit", "after_commit"])
def test_a_batch_whose_end_fails_is_done_again_and_counts_once(toy: ToyRun, name: str) -> None:
    toy.feed(3000, to="keyed")
    toy.suffers("producer, at least once", name)

    toy.run_until_counted({"added": 3000}, f"{name}:6:error", guarantee=GUARANTEE)

    toy.assert_exact(outputs_once=False)


def test_a_worker_that_was_overtaken_writes_rows_that_do_not_count(toy: ToyRun) -> None:
    toy.feed(4000, to="keyed")
    zombie = toy.worker("after_outputs:8:pause", guarantee=GUARANTEE, instance_id=None, transaction_timeout_ms=60_000)
    await_paused(toy, zombie.pid)
    other = toy.worker(guarantee=GUARANTEE, instance_id=None)
    toy.feed(2000, seed=2, to="keyed")
    toy.await_done([other])

    before = void_writes(toy)
    toy.suffers("zombie, at least once", lag=False)
    zombie.send_signal(signal.SIGCONT)
    await_void_write(toy, before)
    toy.feed(4000, seed=3, to="keyed")
    toy.await_done([other, zombie])
    toy.stop(zombie)
    toy.stop(other)

    toy.assert_exact(outputs_once=False)
    shutil.rmtree(toy.state_dir)
    toy.feed(2000, seed=4, to="keyed")
    toy.run_until_done(guarantee=GUARANTEE, instance_id=None)
    toy.assert_exact(outputs_once=False)


def test_what_transactions_wrote_is_taken_over_and_never_given_back(toy: ToyRun) -> None:
    toy.feed(2000, to="keyed")
    toy.run_until_done()
    shutil.rmtree(toy.state_dir)
    toy.feed(2000, seed=2, to="keyed")
    toy.run_until_done(guarantee=GUARANTEE)
    toy.assert_exact(outputs_once=False)

    refused = toy.worker()

    assert refused.wait(DEADLINE_SECONDS) == 1
    assert "keep at_least_once" in toy.log(refused)


def await_paused(toy: ToyRun, process_id: int) -> None:
    """Until the process stands still at its fail point."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    while not _is_stopped(process_id):
        assert time.monotonic() < give_up, "never reached\n" + "\n".join(map(toy.log, toy.workers))
        time.sleep(0.1)


def void_writes(toy: ToyRun) -> int:
    """How many writes to the changelog do not lie where their writer took itself to be."""
    ends = [message for message in toy.messages(f"{toy.name}-toy-sums-changelog") if message.key() == END_KEY]
    return sum(msgspec.msgpack.decode(message.value())[0] != message.offset() for message in ends)


def await_void_write(toy: ToyRun, before: int) -> None:
    """Until there is one more."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    while void_writes(toy) == before:
        assert time.monotonic() < give_up, "it wrote nothing\n" + "\n".join(map(toy.log, toy.workers))
        time.sleep(0.2)


def _is_stopped(process_id: int) -> bool:
    with open(f"/proc/{process_id}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"
