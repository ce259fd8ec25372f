"""One seed is one history and one outcome, whatever order the interpreter gives to its sets."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
TELL = """
from tests.simulation.history import encode, scenario
from tests.simulation.run import run
from hashlib import blake2b
for seed in range(1, 9):
    print(seed, blake2b(encode(scenario(seed)), digest_size=8).hexdigest(), run(scenario(seed), judge=False).digest)
"""


def told(hash_seed: str) -> str:
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(TOP), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", TELL], cwd=TOP, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_seed_is_one_history_and_one_outcome_under_any_hash_seed() -> None:
    zero, one = told("0"), told("1")

    assert zero.count("\n") == 8
    assert zero == one
