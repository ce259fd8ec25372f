"""Write keys: who may send, as which source, how fast.

The rule this module owns: a key is shown once, when it is made. Kept is its hash (SHA-256 of 192 random bits: nothing to guess, so nothing to salt), in a file
that its owner alone may read; it is read anew when it changes, so that a running collector knows a new key at once, and a revoked one no longer.
"""

import fcntl
import os
import secrets
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from connectors.collector.mapping import Fields, Problem, write_key

PREFIX = "wk_"
_KEY_BYTES = 24
_SHOWN_CHARACTERS = 10
LOOK_SECONDS = 1.0
BURST_SECONDS = 2.0
"""A key that was silent may send as much at once as it may in so long."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One write key, as it is kept."""

    source: str
    """The `source.system` of all that comes by it."""
    hash: str
    hint: str
    """Its first characters, to tell keys of one source apart."""
    created_at: str
    events_per_second: float | None = None
    """None: no bound of its own."""


class Damaged(Exception):
    """The file of keys cannot be read; the text says which and why."""


def file_of(data_dir: Path) -> Path:
    """Where the keys of a data directory are."""
    return data_dir / "keys.json"


def load(path: Path) -> list[Key]:
    """All keys; none where there is no file. Damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Key])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as wrong:
        raise Damaged(f"{path} cannot be read: {wrong}. Put a copy back, or remove it and make all keys anew.") from None


def create(path: Path, source: str, created_at: str, events_per_second: float | None = None) -> str:
    """Make a key, keep its hash; the key itself is returned and nowhere else."""
    made = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    key = Key(source=source, hash=_hash(made), hint=made[:_SHOWN_CHARACTERS], created_at=created_at, events_per_second=events_per_second)
    with _locked(path):
        _write(path, [*load(path), key])
    return made


def revoke(path: Path, told: str) -> list[Key]:
    """Forget the keys that begin as this one does (the whole key, or the hint that is shown of it); those that were."""
    hint = told.removesuffix("...")[:_SHOWN_CHARACTERS]
    with _locked(path):
        kept = load(path)
        gone = [key for key in kept if key.hint == hint]
        if gone:
            _write(path, [key for key in kept if key not in gone])
    return gone


def named(headers: Mapping[str, str], said: Fields) -> str | None:
    """The key that a request carries: Basic (as user), `X-Write-Key`, or in its body."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user = b64decode(told.strip(), validate=True).decode().partition(":")[0]
        except (NotBase64, UnicodeDecodeError):
            user = ""
        if user:
            return user
    return headers.get("x-write-key") or write_key(said)


class Door:
    """Lets in who has a key, as fast as that key may."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, int] | None = None
        self._looked_at = -LOOK_SECONDS
        self._may: dict[str, tuple[float, float]] = {}
        """By hash: how many items a key may still send, and when that was so."""
        self.look()

    def look(self) -> None:
        """Read the file if it is another one. Damaged."""
        self._looked_at = self._clock()
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_ino
        except FileNotFoundError:
            stamp = None
        if stamp != self._stamp:
            self._keys = {key.hash: key for key in load(self._path)}
            self._stamp = stamp

    def enter(self, told: str | None) -> Key:
        """The key behind what a request carries. Problem 401."""
        if self._clock() - self._looked_at >= LOOK_SECONDS:
            self.look()
        key = None if told is None else self._keys.get(_hash(told))
        if key is None:
            raise Problem(
                401, "invalid_write_key", "No valid write key: send it as the user of Basic authorization, in X-Write-Key, or as writeKey."
            )
        return key

    def spend(self, key: Key, count: int, retry_after_seconds: int) -> None:
        """So many items come by this key. Problem 429 if it may not send as many now; a request larger than all it ever may passes when it has waited."""
        if key.events_per_second is None:
            return
        now, most = self._clock(), key.events_per_second * BURST_SECONDS
        left, at = self._may.get(key.hash, (most, now))
        left = min(most, left + (now - at) * key.events_per_second)
        if left < min(count, most):
            raise Problem(
                429, "rate_limited", f"This key may send {key.events_per_second:g} items a second; try again in {retry_after_seconds} s."
            )
        self._may[key.hash] = left - count, now


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, keys: list[Key]) -> None:
    """Whole or not at all, readable by its owner alone from the first byte."""
    new = path.with_suffix(".new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(path)
