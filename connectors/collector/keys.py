"""Write keys: who may send, as which source, how fast.

The rule this module owns: a key is shown once, when it is made. Kept is its hash (SHA-256 of 192 random bits: nothing to guess, so nothing to salt), in a file
that its owner alone may read; it is read anew when it changes, so that a running collector knows a new key at once, and a revoked one no longer. A key is
looked up by its hash, so how long that takes says nothing of how near a guess was.
"""

import fcntl
import logging
import math
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

from connectors.collector.problem import Problem

_LOG = logging.getLogger(__name__)

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
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as wrong:
        raise Damaged(f"{path} cannot be read: {wrong}. Put a copy back, or remove it and make all keys anew.") from None


def create(path: Path, source: str, created_at: str, events_per_second: float | None = None) -> str:
    """Make a key, keep its hash; the key itself is returned and nowhere else."""
    made = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    key = Key(source=source, hash=_hash(made), hint=made[:_SHOWN_CHARACTERS], created_at=created_at, events_per_second=events_per_second)
    with _locked(path):
        _write(path, [*load(path), key])
    return made


def revoke(path: Path, told: str) -> list[Key]:
    """Forget the key that is this one, or all that begin as is told (the hint that is shown of them); those that were."""
    hint, whole = told.removesuffix("..."), _hash(told)
    with _locked(path):
        kept = load(path)
        gone = [key for key in kept if key.hash == whole or key.hint == hint]
        if gone:
            _write(path, [key for key in kept if key not in gone])
    return gone


def shown(headers: Mapping[str, str]) -> str | None:
    """The key that a request's headers carry: Basic (as user) or `X-Write-Key`; None if it is to be looked for in the body."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user = b64decode(told.strip(), validate=True).decode().partition(":")[0]
        except (NotBase64, ValueError):  # No base64, or no text.
            user = ""
        if user:
            return user
    return headers.get("x-write-key") or None


class Door:
    """Lets in who has a key, as fast as that key may."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._damage: Damaged | None = None
        """While the file is damaged nobody is let in."""
        self._told: Damaged | None = None
        """The damage that the log speaks of already."""
        self._looked_at = -LOOK_SECONDS
        self._may: dict[str, tuple[float, float]] = {}
        """By hash: how many items a key may still send, and when that was so."""
        self.look()

    def look(self) -> None:
        """Read the file if it is another one. Damaged, for as long as it is."""
        self._looked_at = self._clock()
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_ino, found.st_size
        except OSError:  # Not there, or not to be reached: reading it says which.
            stamp = None
        if stamp is None or stamp != self._stamp:
            self._stamp, self._damage = stamp, None
            try:
                self._keys = {key.hash: key for key in load(self._path)}
            except Damaged as damaged:
                self._damage = damaged
        if self._damage is not None:
            raise self._damage

    def enter(self, told: str | None) -> Key:
        """The key behind what a request carries. Problem 401, or 503 while the file is damaged."""
        if self._damage is not None or self._clock() - self._looked_at >= LOOK_SECONDS:
            try:
                self.look()
            except Damaged as damaged:
                if damaged is not self._told:
                    _LOG.error("Nobody is let in: %s", damaged)
                    self._told = damaged
                raise Problem(503, "keys_unreadable", "The collector cannot read its keys just now; send it again.") from None
        key = None if told is None else self._keys.get(_hash(told))
        if key is None:
            raise Problem(
                401, "invalid_write_key", "No valid write key: send it as the user of Basic authorization, in X-Write-Key, or as writeKey."
            )
        return key

    def spend(self, key: Key, count: int) -> None:
        """So many items come by this key. Problem 429 if it may not send as many now; a request larger than all it ever may passes when it has waited."""
        if key.events_per_second is None:
            return
        now, rate = self._clock(), key.events_per_second
        most = rate * BURST_SECONDS
        left, at = self._may.get(key.hash, (most, now))
        left = min(most, left + (now - at) * rate)
        asked = min(max(1, count), most)
        if left < asked:
            wait = (asked - left) / rate
            raise Problem(429, "rate_limited", f"This key may send {rate:g} items a second; try again in {math.ceil(wait)} s.", wait)
        self._may[key.hash] = left - max(1, count), now


def _hash(key: str) -> str:
    return sha256(key.encode(errors="replace")).hexdigest()


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
