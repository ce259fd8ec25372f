"""What a worker finds where its state should be: broken, half gone, or all gone. It says so, and goes on with what the changelog has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.toyrun import ToyRun

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
    damage(store_of(toy))

    toy.feed(2000, seed=2)
    process = toy.worker()
    toy.await_done([process])
    toy.stop(process)

    assert toy.answer() == toy.expected()
    assert f"{toy.name}-{PARTITION_HELD} is broken, it is moved to {toy.name}-{PARTITION_HELD}.broken and restored" in toy.log(process)
    assert store_of(toy).with_name(f"{toy.name}-{PARTITION_HELD}.broken").is_dir()


def test_who_is_killed_while_much_is_loaded_leaves_what_can_be_loaded_again(toy: ToyRun) -> None:
    toy.feed(100_000, keys=60_000, to="keyed")
    toy.run_until_done(batch_records_max=4000)
    for store in toy.state_dir.iterdir():
        shutil.rmtree(store)

    for hit in (1, 3, 6):
        toy.run_until_killed(f"during_restore:{hit}:kill")
    toy.feed(1000, keys=60_000, seed=2)
    toy.run_until_done()

    assert toy.answer() == toy.expected()
