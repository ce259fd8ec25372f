"""A network that fails when it is told to: a TCP proxy in a thread, and a Kafka that one of two ways leads to through it.

The rule: what is cut is told (a reset), what hangs is not: nothing passes, nobody hears of it, and such a connection never comes back.
A proxy can also speak for a Kafka whose controller has given its broker up: it answers, and names nobody.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aiokafka.protocol import metadata

from streams.broker import ports
from streams.broker.embedded import EmbeddedBroker


class Connection:
    """Two pumps; a dead one swallows what it gets."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.writers = writers
        self.dead = False
        self.asks_for_metadata: dict[int, int] = {}
        """Correlation id: version of the request."""

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Between `port` and a port on this machine."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self._delay_seconds = 0.0
        self._refuses = self._hangs = False
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())

    def delay(self, seconds: float) -> None:
        """Whatever passes waits so long, each way."""
        self._delay_seconds = seconds

    def cut(self) -> None:
        """All connections are reset, new ones as well, until healed."""
        self._call(self._set(refuses=True))

    def hang(self) -> None:
        """Nothing passes any longer, and nobody is told: half-open connections. New ones are taken and hear nothing, until healed."""
        self._call(self._set(hangs=True))

    def heal(self) -> None:
        """New connections are as they should be; those that hung stay as they are."""
        self._delay_seconds = 0.0
        self._call(self._set())

    def close(self) -> None:
        """It is gone."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _end(self) -> None:
        await self._set(refuses=True)
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _set(self, refuses: bool = False, hangs: bool = False) -> None:
        self._refuses, self._hangs = refuses, hangs
        for connection in list(self._connections):
            connection.dead |= hangs
            if refuses:
                connection.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        connection = Connection(writer, far_writer)
        connection.dead = self._hangs
        self._connections.add(connection)
        try:
            await asyncio.gather(self._pump(connection, reader, far_writer), self._pump(connection, far_reader, writer))
        finally:
            self._connections.discard(connection)
            connection.abort()

    async def _pump(self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(1 << 16):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                if not connection.dead:
                    writer.write(chunk)
                    await writer.drain()
        if not connection.dead:
            connection.abort()


class Forgetful(Proxy):
    """Until `remember`, whoever asks for metadata as aiokafka does hears of no broker, as from a Kafka that hung until its controller gave it up."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.asked = 0
        self._forgets = False

    def forget(self) -> None:
        """From now on."""
        self._forgets = True

    def remember(self) -> None:
        """From now on the broker is named again."""
        self._forgets = False

    async def _pump(self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        towards_kafka = writer is connection.writers[1]
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0])
                if towards_kafka:
                    key, version, correlation = struct.unpack_from(">hhi", frame)
                    if key == metadata.MetadataResponse_v0.API_KEY and version <= METADATA_VERSION_MAX:
                        connection.asks_for_metadata[correlation] = version
                else:
                    (correlation,) = struct.unpack_from(">i", frame)
                    version = connection.asks_for_metadata.pop(correlation, None)
                    if version is not None and self._forgets:
                        self.asked += 1
                        frame = struct.pack(">i", correlation) + nobody(version)
                writer.write(struct.pack(">i", len(frame)) + frame)
                await writer.drain()
        connection.abort()


METADATA_VERSION_MAX = 5
"""Of aiokafka; later ones have another form."""


def nobody(version: int) -> bytes:
    """Metadata without a broker and without topics, as Kafka would answer a request of this version."""
    response = getattr(metadata, f"MetadataResponse_v{version}")
    fields = {"throttle_time_ms": 0, "brokers": [], "cluster_id": "cluster", "controller_id": -1, "topics": []}
    return bytes(response(**{name: fields[name] for name in response.SCHEMA.names}).encode())


@contextmanager
def broker_behind_proxy(directory: Path) -> Iterator[tuple[EmbeddedBroker, Proxy]]:
    """A Kafka with two listeners: its own address is the straight way, the proxy's port leads through the proxy, also for whom Kafka sends elsewhere."""
    straight, control, behind = ports.free(3)
    proxy = Proxy(behind)
    directory.mkdir(parents=True)
    (directory / "ports").write_text(f"{straight} {control}\n")
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{straight},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{control}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{straight},PROXIED://127.0.0.1:{proxy.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    try:
        with EmbeddedBroker(directory, properties) as kafka:
            yield kafka, proxy
    finally:
        proxy.close()
