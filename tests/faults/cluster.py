"""Three Kafkas that are one cluster: every topic, and Kafka's own, has three copies, two of which must have what is acknowledged."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient

from streams.broker import ports
from streams.broker.embedded import EmbeddedBroker

NODES = (1, 2, 3)
COPIES = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
}


class Node(EmbeddedBroker):
    """One of the three; formatted with the cluster's id, not with one of its own."""

    def __init__(self, directory: Path, properties: dict[str, str], cluster: str) -> None:
        super().__init__(directory, properties)
        self._cluster = cluster

    def _format(self, java: Path, class_path: str, ports: tuple[int, int]) -> str:
        file = self.data_directory / "cluster.id"
        if not file.exists():
            command = [str(java), "-cp", class_path, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
            subprocess.run([*command, f"--cluster-id={self._cluster}", "-c", str(self._properties(ports))], capture_output=True, check=True)
            file.write_text(self._cluster)
        return self._cluster


class Cluster:
    """Nodes by their number."""

    def __init__(self, nodes: dict[int, Node]) -> None:
        self.nodes = nodes
        self.bootstrap = ",".join(node.bootstrap for node in nodes.values())

    def leader(self, topic: str, partition: int) -> int:
        """The node that leads a partition."""
        found = AdminClient({"bootstrap.servers": self.bootstrap}).list_topics(topic, timeout=60)
        return int(found.topics[topic].partitions[partition].leader)


@contextmanager
def cluster_of_three(directory: Path) -> Iterator[Cluster]:
    """Started together, for none is ready without a second."""
    own = ports.free(2 * len(NODES))
    kafka, control = dict(zip(NODES, own[: len(NODES)], strict=True)), dict(zip(NODES, own[len(NODES) :], strict=True))
    voters = ",".join(f"{number}@127.0.0.1:{control[number]}" for number in NODES)
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    nodes = {}
    for number in NODES:
        home = directory / str(number)
        home.mkdir(parents=True)
        (home / "ports").write_text(f"{kafka[number]} {control[number]}\n")
        nodes[number] = Node(home, {**COPIES, "node.id": str(number), "controller.quorum.voters": voters}, cluster)
    with ExitStack() as running, ThreadPoolExecutor(len(NODES)) as threads:
        for node in nodes.values():
            running.callback(node.stop)
        list(threads.map(Node.start, nodes.values()))
        yield Cluster(nodes)
