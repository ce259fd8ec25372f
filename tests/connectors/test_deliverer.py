"""What follows from each outcome: the runner with a sink that answers as told, in milliseconds, without Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from connectors.runtime.counts import Counts
from connectors.runtime.deliverer import Deliverer, Limits, Position
from connectors.runtime.fetched import Fetched
from connectors.runtime.ledger import Ledger, Tried
from connectors.runtime.notices import Unwritten
from connectors.runtime.patience import Patience
from connectors.runtime.sinks import Outcome, Output, Request
from schemas import rewritten, topics
from schemas.delivery import DeadDelivery, EndpointSwitch
from schemas.record import encode
from schemas.rewritten import Rewritten
from tests.connectors.outputs import moment

PLACE = (topics.MOMENTS, 0)
SECONDS_MAX = 60.0
"""For what hangs."""
SINCE = 1_000_000_000
DELIVERED, FAILED = Outcome("delivered"), Outcome("failed", "HTTP 500")
Answer = Callable[[Request, int], Outcome | Awaitable[Outcome]]


class Sink:
    """Answers as told; remembers what was asked, when, and whether two requests of one customer were ever under way at once."""

    topics = (topics.MOMENTS,)
    batch_max = 1

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, float]] = []
        self.under_way: list[str] = []
        self.most = 0

    def map(self, output: Output) -> Request | None:
        lasts = {"short": 1.0, "over": -1.0}.get(output.id.split("-")[0])
        expires_at = None if lasts is None else int((time.time() + lasts) * 1e6)
        return None if output.id.startswith("other") else Request(output.id, output.customer_id, b"{}", 0, expires_at)

    async def deliver(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        (request,) = requests
        assert request.customer_id not in self.under_way
        self.under_way.append(request.customer_id)
        self.most = max(self.most, len(self.under_way))
        self.asked.append((request.id, time.monotonic()))
        await asyncio.sleep(0.001)
        found = self.answer(request, sum(each == request.id for each, _ in self.asked))
        outcome = found if isinstance(found, Outcome) else await found
        self.under_way.remove(request.customer_id)
        return [outcome]

    async def close(self) -> None:
        """Nothing is open."""

    @property
    def ids(self) -> list[str]:
        return [each for each, _ in self.asked]


class Noted:
    """What the runner wrote; the first `fails` of them Kafka does not take."""

    def __init__(self, fails: int = 0) -> None:
        self.letters: list[DeadDelivery] = []
        self.switches: list[EndpointSwitch] = []
        self._fails = fails

    async def bury(self, letter: DeadDelivery) -> None:
        self._fails -= 1
        if self._fails >= 0:
            raise Unwritten("no answer")
        self.letters.append(letter)

    async def switch(self, switch: EndpointSwitch) -> None:
        self.switches.append(switch)


class Bench:
    """A deliverer at work on one partition."""

    def __init__(self, answer: Answer, fails: int = 0, pause: float = 0.05, give_up: float = 0.3, **limits: int) -> None:
        self.sink, self.noted, self.said = Sink(answer), Noted(fails), list[tuple[str, str]]()
        self.registry = CollectorRegistry()
        notices: Any = self.noted
        patience = Patience(first_seconds=0.01, pause_seconds_max=pause, give_up_seconds=give_up, retry_after_seconds_max=0.2)
        tell = lambda _, kind, text: self.said.append((kind, text))  # noqa: E731 - A name would say no more.
        told = (notices, Counts(self.registry), tell, patience, Limits(**limits))
        self.deliverer = Deliverer("crm", self.sink, *told, group="crm-group", since=SINCE)
        self.deliverer.assigned({PLACE: Position(0, "")})
        self.next = 0

    async def take(self, said: Iterable[tuple[str, str]], *more: tuple[str, bytes]) -> None:
        """Records: (id, customer), with more headers."""
        records = []
        for event_id, customer in said:
            value = b'{"odd": 1}' if event_id.startswith("odd") else encode(moment())
            headers = {"ce_id": event_id.encode(), "ce_time": b"2026-11-22T12:00:00Z", **dict(more)}
            records.append(Fetched(*PLACE, self.next, customer.encode(), value, headers, 0))
            self.next += 1
        await self.deliverer.take(records)

    async def until(self, condition: Callable[[], object]) -> None:
        give_up = time.monotonic() + SECONDS_MAX
        while not condition():
            assert time.monotonic() < give_up, (self.sink.asked, self.said, self.noted.letters)
            await asyncio.sleep(0.002)

    def counted(self, outcome: str) -> float:
        return self.registry.get_sample_value("kairos_deliveries_total", {"endpoint": "crm", "outcome": outcome}) or 0.0

    @property
    def offset(self) -> int:
        return self.deliverer.positions()[PLACE].offset


def work(bench: Bench, play: Callable[[Bench], Awaitable[None]]) -> None:
    """Play it while the deliverer runs, and let that end."""

    async def played() -> None:
        running = asyncio.create_task(bench.deliverer.run())
        await play(bench)
        bench.deliverer.stop()
        await asyncio.wait_for(running, SECONDS_MAX)

    asyncio.run(played())


def test_the_offset_follows_what_is_done_and_never_passes_what_is_not() -> None:
    held = asyncio.Event()

    async def answer(request: Request) -> Outcome:
        await held.wait()
        return DELIVERED

    async def play(bench: Bench) -> None:
        await bench.take([("other", "ann"), ("a-0", "ann"), ("b-0", "ben"), ("other", "ben"), ("a-1", "ann")])
        await bench.until(lambda: bench.sink.ids == ["a-0", "b-0", "a-1"] and bench.sink.under_way == ["ben"])
        assert bench.offset == 2
        held.set()
        await bench.until(lambda: bench.offset == 5)

    work(Bench(lambda request, _: answer(request) if request.id == "b-0" else DELIVERED), play)


def test_what_was_moved_is_not_delivered_again() -> None:
    async def play(bench: Bench) -> None:
        await bench.take([("a-0", "ann")])
        await bench.take([("a-0", "ann")], rewritten.header(Rewritten(0, 0, 2_000_000, ("crm-group",))))
        await bench.take([("b-0", "ben")], rewritten.header(Rewritten(0, 1, 999_999, ("another",))))
        await bench.take([("c-0", "col")], rewritten.header(Rewritten(0, 2, 2_000_000, ("another",))))
        await bench.until(lambda: bench.offset == 4)

    bench = Bench(lambda request, _: DELIVERED)
    work(bench, play)

    assert bench.sink.ids == ["a-0", "c-0"], "one had been read, one was from before what the group is to read"


def test_a_request_that_fails_holds_its_customer_back_and_nobody_else() -> None:
    async def play(bench: Bench) -> None:
        await bench.take([("a-0", "ann"), ("a-1", "ann"), ("b-0", "ben"), ("b-1", "ben")])
        await bench.until(lambda: bench.offset == 4)

    bench = Bench(lambda request, times: FAILED if request.id == "a-0" and times < 4 else DELIVERED, give_up=SECONDS_MAX)
    work(bench, play)

    assert [each for each in bench.sink.ids if each[0] == "a"] == ["a-0"] * 4 + ["a-1"]
    assert bench.sink.ids.index("b-1") < bench.sink.ids.index("a-1")
    assert (bench.counted("failed"), bench.counted("delivered")) == (3, 4)


def test_what_is_given_up_or_refused_is_a_dead_letter_before_it_is_done_with() -> None:
    async def play(bench: Bench) -> None:
        await bench.take([("never", "ann"), ("no", "ben"), ("odd", "col"), ("last", "ann")])
        await bench.until(lambda: bench.offset == 4)

    answers = {"never": FAILED, "no": Outcome("refused", "HTTP 422")}
    bench = Bench(lambda request, _: answers.get(request.id, DELIVERED), fails=2, give_up=1.0)
    work(bench, play)

    letters = {letter.id: letter for letter in bench.noted.letters}
    assert {name: letter.reason for name, letter in letters.items()} == {"never": "given_up", "no": "refused", "odd": "unreadable"}
    assert (letters["never"].detail, letters["never"].offset, letters["never"].customer_id) == ("HTTP 500", 0, "ann")
    assert letters["never"].attempts == bench.sink.ids.count("never") >= 2
    assert bench.sink.ids.count("no") == 1 + 1, "Kafka did not take the first letter: it is asked again"
    assert bench.sink.ids[-1] == "last"


def test_throttled_holds_all_for_as_long_as_is_asked_but_not_for_ever() -> None:
    async def play(bench: Bench) -> None:
        await bench.take([("a", "ann")])
        await bench.until(lambda: bench.sink.asked)
        await bench.take([("b", "ben"), ("c", "col")])
        await bench.until(lambda: bench.offset == 3)

    bench = Bench(lambda _, __: Outcome("throttled", "HTTP 429", 3600.0) if len(bench.sink.asked) == 1 else DELIVERED)
    work(bench, play)

    times = [at for _, at in bench.sink.asked]
    assert 0.19 < times[1] - times[0] < 60.0
    assert len(times) == 4


def test_a_moment_that_expires_while_it_is_tried_goes_out_no_more() -> None:
    async def play(bench: Bench) -> None:
        await bench.take([("over-0", "ann"), ("short-0", "ben")])
        await bench.until(lambda: bench.offset == 2)

    bench = Bench(lambda _, __: FAILED, give_up=60.0)
    work(bench, play)

    assert set(bench.sink.ids) == {"short-0"}
    assert bench.counted("expired") == 2
    assert bench.noted.letters == []


def test_gone_switches_off_at_once_and_what_waits_is_not_lost() -> None:
    async def play(bench: Bench) -> None:
        await bench.take([("a", "ann"), ("b", "ben"), ("c", "col")])
        await bench.until(lambda: bench.noted.switches)
        await asyncio.sleep(0.05)
        assert (bench.sink.ids, bench.offset, bench.deliverer.room) == (["a"], 0, 0)
        (off,) = bench.noted.switches
        bench.deliverer.switch(EndpointSwitch(endpoint="crm", state="enabled", since="2026-01-01T00:00:00Z", by="operator", why="before"))
        assert bench.deliverer.is_disabled, "of what was said the newest holds"
        bench.deliverer.switch(EndpointSwitch(endpoint="crm", state="enabled", since="2099-01-01T00:00:00Z", by="operator", why="mended"))
        await bench.until(lambda: bench.offset == 3)
        assert (off.state, off.by, off.why) == ("disabled", "endpoint", "HTTP 410")

    bench = Bench(lambda _, times: Outcome("gone", "HTTP 410") if len(bench.sink.asked) == 1 else DELIVERED, under_way_max=1)
    work(bench, play)

    assert bench.said == [("disabled", "HTTP 410"), ("enabled", "mended")]


def test_an_endpoint_that_fails_is_probed_and_when_it_is_back_all_goes_on() -> None:
    alive = False

    async def play(bench: Bench) -> None:
        nonlocal alive
        bench.deliverer._breaker._open_seconds = 0.02
        await bench.take((f"{number}", f"c{number}") for number in range(40))
        await bench.until(lambda: ("broken", "HTTP 500") in bench.said)
        before = len(bench.sink.ids)
        await asyncio.sleep(0.15)
        assert len(bench.sink.ids) - before <= 12, "each pause is longer than the last; without a breaker it would be hundreds"
        alive = True
        await bench.until(lambda: bench.offset == 40)

    bench = Bench(lambda _, __: DELIVERED if alive else FAILED, give_up=60.0)
    work(bench, play)

    assert [kind for kind, _ in bench.said] == ["broken", "mended"]
    assert bench.noted.letters == []


def test_what_was_to_wait_for_hours_is_tried_as_soon_as_the_endpoint_is_back() -> None:
    alive = False

    async def play(bench: Bench) -> None:
        nonlocal alive
        bench.deliverer._breaker._open_seconds = 0.02
        before = Ledger(0)
        before.read(0)
        bench.deliverer.assigned({PLACE: Position(0, before.note({0: Tried(20, time.time())}))})
        await bench.take([("0", "c0")])
        await bench.until(lambda: bench.sink.asked and not bench.sink.under_way)
        await bench.take((f"{number}", f"c{number}") for number in range(1, 6))
        await bench.until(lambda: bench.said)
        alive = True
        await bench.until(lambda: bench.offset == 6)

    bench = Bench(lambda _, __: DELIVERED if alive else FAILED, pause=3600.0, give_up=3600.0)
    work(bench, play)

    assert bench.sink.ids.count("0") == 2


def test_what_is_in_hand_and_under_way_is_bounded() -> None:
    async def slowly() -> Outcome:
        await asyncio.sleep(0.01)
        return DELIVERED

    async def play(bench: Bench) -> None:
        await bench.take((f"{number}", f"c{number}") for number in range(20))
        assert bench.deliverer.room == 0
        await bench.until(lambda: bench.offset == 20)
        assert bench.deliverer.room == 20

    bench = Bench(lambda _, __: slowly(), under_way_max=3, waiting_max=20)
    work(bench, play)

    assert bench.sink.most == 3


def test_a_partition_that_goes_waits_for_what_is_under_way_and_leaves_the_rest_to_the_next() -> None:
    async def slowly() -> Outcome:
        await asyncio.sleep(0.05)
        return DELIVERED

    async def play(bench: Bench) -> None:
        await bench.take((f"a-{number}", "ann") for number in range(3))
        await bench.until(lambda: bench.sink.under_way)
        left = await bench.deliverer.revoked([PLACE], SECONDS_MAX)
        assert left[PLACE].offset == 1
        assert not bench.sink.under_way
        await asyncio.sleep(0.1)
        assert bench.deliverer.is_idle

    bench = Bench(lambda _, __: slowly())
    work(bench, play)

    assert bench.sink.ids == ["a-0"]


def test_a_partition_that_is_lost_in_the_midst_changes_nothing_for_the_others() -> None:
    async def slowly() -> Outcome:
        await asyncio.sleep(0.05)
        return DELIVERED

    async def play(bench: Bench) -> None:
        await bench.take([("a-0", "ann"), ("a-1", "ann")])
        await bench.until(lambda: bench.sink.under_way)
        bench.deliverer.lost([PLACE])
        bench.deliverer.assigned({PLACE: Position(0, "")})
        bench.next = 0
        await bench.until(lambda: not bench.sink.under_way)
        await bench.take([("a-0", "ann"), ("a-1", "ann")])
        await bench.until(lambda: bench.offset == 2)

    bench = Bench(lambda _, __: slowly())
    work(bench, play)

    assert bench.sink.ids == ["a-0", "a-0", "a-1"]
