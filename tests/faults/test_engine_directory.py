"""What a worker finds where its state should be: broken, half gone, or all gone. It says so, and goes on with what the changelog has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun

PARTITION_HELD = "keyed-1"


def store_of(toy: ToyRun) -> Path:
    return toy.state_dir / f"{toy.name}-{PARTITION_HELD}"


def rubbish_for_a_manifest(store: Path) -> None:
    for file in store.glob("MANIFEST-*"):
        file.write_bytes(b"rubbish")


def files_gone(store: Path) -> None:
    for file in store.glob("*.sst"):
        file.unlink()


@pytest.mark.parametrize("damage", [rubbish_for_a_manifest, files_gone])
def test_a_broken_database_is_moved_aside_and_restored(toy: ToyRun, damage: Callable[[Path], None]) -> None:
    toy.feed(2000)
    toy.run_until_done()
    toy.feed(2000, seed=2)
    toy.suffers("database")
    damage(store_of(toy))

    process = toy.worker()
    toy.await_done([process])
    toy.stop(process)

    toy.assert_exact()
    assert f"{toy.name}-{PARTITION_HELD} is broken, it is moved to {toy.name}-{PARTITION_HELD}.broken and restored" in toy.log(process)
    assert store_of(toy).with_name(f"{toy.name}-{PARTITION_HELD}.broken").is_dir()


@pytest.mark.faults
def test_a_disk_that_is_full_ends_the_worker_and_the_next_has_all(toy: ToyRun) -> None:
    toy.feed(2000)
    toy.run_until_done()
    toy.feed(120_000, keys=100_000, seed=2, to="keyed")

    toy.suffers("disk full")
    process = toy.worker(mount="size=1m", write_buffer_bytes=1 << 20, batch_records_max=4000)

    assert process.wait(DEADLINE_SECONDS) == 1
    assert "No space left on device" in toy.log(process)
    assert toy.lag() > 0
    toy.run_until_done(batch_records_max=4000)
    toy.assert_exact()


@pytest.mark.faults
def test_a_state_directory_that_may_not_be_written_ends_the_worker(toy: ToyRun) -> None:
    toy.feed(2000)

    toy.suffers("read-only")
    process = toy.worker(mount="ro")

    assert process.wait(DEADLINE_SECONDS) == 1
    assert "Read-only file system" in toy.log(process)
    toy.run_until_done()
    toy.assert_exact()


@pytest.mark.faults
def test_a_state_directory_that_goes_away_under_a_worker_is_restored_by_the_next(toy: ToyRun) -> None:
    toy.feed(60_000, keys=60_000, to="keyed")
    process = toy.worker(write_buffer_bytes=1 << 20, slow_seconds=0.05, counts=str(toy.directory / "counts.json"))
    toy.await_counts("counts.json")

    toy.suffers("deleted")
    shutil.rmtree(toy.state_dir)

    assert process.wait(DEADLINE_SECONDS) == 1
    assert "the next start moves it aside and restores it" in toy.log(process)
    toy.run_until_done(batch_records_max=4000)
    toy.assert_exact()


def test_who_is_killed_while_much_is_loaded_leaves_what_can_be_loaded_again(toy: ToyRun) -> None:
    toy.feed(100_000, keys=60_000, to="keyed")
    toy.run_until_done(batch_records_max=4000)
    for store in toy.state_dir.iterdir():
        shutil.rmtree(store)

    toy.feed(1000, keys=60_000, seed=2)

    for hit in (1, 3, 6):
        toy.run_until_killed(f"during_restore:{hit}:kill")
    toy.run_until_done()

    toy.assert_exact()
