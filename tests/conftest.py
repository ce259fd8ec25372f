"""What every test may ask for: a real Kafka, once a session, and names that no other test uses. A Kafka that cannot be had is an error, never a skip.

What fails is told at once, with its traceback: a run that is ended from outside has said by then what it knew.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker

# A law is asked of the same examples wherever it is asked, and a machine that is busy breaks none.
settings.register_profile("kairos", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kairos")

TOLD_CHARACTERS_MAX = 20_000
SLOWEST_TOLD = 25


def pytest_configure(config: pytest.Config) -> None:
    """In the process that speaks, not in those that xdist starts."""
    if not hasattr(config, "workerinput"):
        at_once = AtOnce(config)
        config.pluginmanager.register(at_once)
        signal.signal(signal.SIGTERM, at_once.end)


class AtOnce:
    """Tells of a failure when it happens; what the test wrote comes at the end, as ever. Ended from outside, says what pytest would have said at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of every phase of every test."""
        if report.failed:
            self._tell(f"{report.when} of {report.nodeid} failed after {report.duration:.1f} s", report.longreprtext[-TOLD_CHARACTERS_MAX:])

    def end(self, number: int, frame: FrameType | None) -> None:
        """A signal's handler. pytest would first wait for those that xdist has started; they end by themselves when this process is gone."""
        teller = self._teller
        if teller is not None:
            reports = [report for each in teller.stats.values() for report in each if isinstance(report, pytest.TestReport)]
            reports.sort(key=lambda report: -report.duration)
            slowest = [f"{report.duration:8.1f} s {report.when} {report.nodeid}" for report in reports[:SLOWEST_TOLD]]
            failed = [f"FAILED {report.nodeid}" for report in reports if report.failed]
            self._tell(f"ended from outside after {len(teller.stats.get('passed', []))} passed tests", "\n".join([*slowest, *failed]))
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    @property
    def _teller(self) -> pytest.TerminalReporter | None:
        found: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        return found

    def _tell(self, title: str, text: str) -> None:
        if (teller := self._teller) is not None:
            teller.ensure_newline()
            teller.write_sep("_", title)
            teller.write_line(text, flush=True)


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """A real Kafka for the whole session, one for each xdist worker; do not stop, kill or pause it, start your own for that."""
    directory = Path(tempfile.mkdtemp(prefix="kairos-broker-"))
    try:
        with EmbeddedBroker(directory) as kafka:
            yield kafka
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def app_id() -> str:
    """A name that no other test has, for an app, a consumer group or a prefix of topics."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic_prefix(app_id: str) -> str:
    """A prefix for this test's topics, with its dot."""
    return f"{app_id}."


@pytest.fixture
def new_topic(broker: EmbeddedBroker, topic_prefix: str) -> Callable[..., str]:
    """Call it with a short name, partitions and settings; it creates the topic on the session's Kafka and returns its full name."""

    def create(name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        topic = admin.NewTopic(topic_prefix + name, partitions, config or {})
        admin.create_topics(broker.bootstrap, [topic])
        return topic.name

    return create
