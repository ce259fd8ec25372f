"""The clients that npm carries, as the lock beside this names them.

The rule this module owns: what is installed is what the lock says, to the byte; it is installed once, below build/, and anew when the lock changes.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent / "node"
BUILD = Path(__file__).parents[3] / "build" / "clients"
INSTALL_SECONDS_MAX = 300.0


def modules() -> Path:
    """The folder below which they are found. An AssertionError with npm's words where that fails."""
    lock = (HERE / "package-lock.json").read_bytes()
    BUILD.mkdir(parents=True, exist_ok=True)
    place = BUILD / sha256(lock).hexdigest()[:16]
    with (BUILD / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not place.exists():
            new = place.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, new)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=new, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
            assert done.returncode == 0, done.stderr
            new.rename(place)
    return place / "node_modules"
