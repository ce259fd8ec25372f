"""The shop's year, answered naively: who was in which stage, segment and moment, and why. Imports nothing of ours; its rule: slow and obvious.

A customer's life is a list of steps: its invoices in order, and, after all invoices of an instant, every instant at which time alone could
change something. After each step everything is looked at anew. `python -m tests.oracles.retail` prints the figures.
"""

import csv
import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, localcontext
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

SHOP = Path(__file__).parents[2] / "data" / "online-retail.csv.gz"
UNTIL = datetime(2011, 12, 10, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
EXACT = Context(prec=60, traps=[Inexact])
"""Sums that would have to be rounded raise instead."""

HIGH_VALUE = 5000
ACTIVE = ("first_order", "repeat", "loyal", "won_back")


def days(number: int) -> timedelta:
    """So many times 24 hours."""
    return timedelta(hours=24 * number)


class Invoice(NamedTuple):
    """One interaction: an order or a cancellation."""

    customer: str
    id: str
    time: datetime
    is_order: bool
    revenue: Decimal
    country: str = ""


class StageChange(NamedTuple):
    """`time` is the invoice's or the deadline's; `evidence` the invoice, at a deadline the last order. `origin` is None at the start."""

    customer: str
    origin: str | None
    target: str
    time: datetime
    kind: str
    evidence: str


class Moment(NamedTuple):
    """`evidence` are message ids in the order of time; `supporting` those that only set the measure."""

    customer: str
    name: str
    time: datetime
    evidence: tuple[str, ...]
    supporting: tuple[str, ...] = ()


class SegmentChange(NamedTuple):
    """The customer entered (or left) `high_value`."""

    customer: str
    entered: bool
    time: datetime


class Life(NamedTuple):
    """All that is said of one customer, in the order it happened."""

    stage: str
    country: str
    stage_changes: list[StageChange]
    moments: list[Moment]
    segment_changes: list[SegmentChange]


class Answer(NamedTuple):
    """All that is said of the year; lists by customer, then in the order it happened."""

    customers: dict[str, list[Invoice]]
    refused: int
    lives: dict[str, Life]

    @property
    def stages(self) -> dict[str, str]:
        return {customer: life.stage for customer, life in self.lives.items()}

    @property
    def stage_changes(self) -> list[StageChange]:
        return [change for life in self.lives.values() for change in life.stage_changes]

    @property
    def moments(self) -> list[Moment]:
        return [moment for life in self.lives.values() for moment in life.moments]

    @property
    def segment_changes(self) -> list[SegmentChange]:
        return [change for life in self.lives.values() for change in life.segment_changes]

    @property
    def orders(self) -> list[Invoice]:
        return [invoice for invoices in self.customers.values() for invoice in invoices if invoice.is_order]

    @property
    def cancellations(self) -> list[Invoice]:
        return [invoice for invoices in self.customers.values() for invoice in invoices if not invoice.is_order]


def answer(path: Path = SHOP, until: datetime = UNTIL, high_value: int = HIGH_VALUE) -> Answer:
    """Read the year and judge every customer as of `until`; from `high_value` GBP on a customer is in the segment of that name."""
    customers, refused = read(path)
    return Answer(customers, refused, {customer: judge(invoices, until, high_value) for customer, invoices in customers.items()})


def read(path: Path) -> tuple[dict[str, list[Invoice]], int]:
    """Every customer's invoices, sorted by time and then message id; and how many invoices are no interaction."""
    lines = defaultdict(list)
    with gzip.open(path) as packed:
        for line in csv.DictReader(io.TextIOWrapper(packed, "utf-8", newline="")):
            lines[line["InvoiceNo"]].append(line)
    customers: dict[str, list[Invoice]] = defaultdict(list)
    refused = 0
    with localcontext(EXACT):
        for number, invoice in lines.items():
            person = invoice[0]["CustomerID"]
            pieces = sum(int(line["Quantity"]) for line in invoice)
            if number.startswith("A") or (number.isdigit() and person == "" and pieces < 0):
                refused += 1
                continue
            customer = "crm_id:" + person.removesuffix(".0") if person else "anonymous_id:invoice-" + number
            time = min(datetime.fromisoformat(line["InvoiceDate"]).replace(tzinfo=LONDON).astimezone(UTC) for line in invoice)
            revenue = sum((int(line["Quantity"]) * Decimal(line["UnitPrice"]) for line in invoice), Decimal(0))
            one = Invoice(customer, "online-retail-" + number, time, not number.startswith("C"), revenue, invoice[0]["Country"])
            customers[customer].append(one)
    for invoices in customers.values():
        invoices.sort(key=lambda invoice: (invoice.time, invoice.id.encode()))
    return dict(sorted(customers.items())), refused


def judge(invoices: Sequence[Invoice], until: datetime, high_value: int = HIGH_VALUE) -> Life:
    """Live one customer's life; `invoices` are sorted and none is after `until`."""
    life = _Living(invoices, high_value)
    instants = {invoice.time + days(number) for invoice in invoices for number in (45, 90, 180, 365)}
    steps: list[tuple[datetime, int, int]] = [(invoice.time, 0, place) for place, invoice in enumerate(invoices)]
    steps += [(instant, 1, 0) for instant in instants if instant <= until]
    with localcontext(EXACT):
        for time, by_time_alone, place in sorted(steps):
            if by_time_alone:
                life.wait(time)
            else:
                life.meet(place)
    return Life(life.stage or "", invoices[-1].country, life.stage_changes, life.moments, life.segment_changes)


class _Living:
    """One customer between two steps."""

    def __init__(self, invoices: Sequence[Invoice], threshold: int) -> None:
        self.invoices = invoices
        self.threshold = threshold
        self.so_far: Sequence[Invoice] = ()
        self.stage: str | None = None
        self.is_high_value = False
        self.cancelled: set[str] = set()
        self.quiet: set[str] = set()
        self.stage_changes: list[StageChange] = []
        self.moments: list[Moment] = []
        self.segment_changes: list[SegmentChange] = []

    def orders(self) -> list[Invoice]:
        return [invoice for invoice in self.so_far if invoice.is_order]

    def within(self, number: int, now: datetime) -> list[Invoice]:
        """What happened so far, later than so many days ago."""
        return [invoice for invoice in self.so_far if now - days(number) < invoice.time]

    def meet(self, place: int) -> None:
        """An invoice comes."""
        self.so_far = self.invoices[: place + 1]
        invoice = self.invoices[place]
        target = self.stage_after(invoice)
        if target is not None:
            self.enter(target, invoice.time, "event", invoice.id)
        if invoice.is_order:
            self.big_order(invoice)
        else:
            self.cancelled_after_big_spend(invoice)
            self.third_cancellation(invoice)
        self.high_value(invoice.time)

    def wait(self, now: datetime) -> None:
        """Time passes, and nothing comes."""
        orders = self.orders()
        if orders:
            last = orders[-1]
            silence = now - last.time
            if self.stage == "loyal" and silence >= days(45) and last.id not in self.quiet:
                self.quiet.add(last.id)
                self.moments.append(Moment(last.customer, "loyal_gone_quiet", now, (last.id,)))
            if self.stage in ACTIVE and silence >= days(90):
                self.enter("at_risk", now, "deadline", last.id)
            if self.stage == "at_risk" and silence >= days(180):
                self.enter("lapsed", now, "deadline", last.id)
        self.high_value(now)

    def enter(self, target: str, time: datetime, kind: str, evidence: str) -> None:
        self.stage_changes.append(StageChange(self.invoices[0].customer, self.stage, target, time, kind, evidence))
        self.stage = target

    def stage_after(self, invoice: Invoice) -> str | None:
        """The stage that this invoice leads to; None if it stays."""
        if not invoice.is_order:
            return "prospect" if self.stage is None else None
        if self.stage in (None, "prospect"):
            return "first_order"
        if self.stage in ("at_risk", "lapsed"):
            return "won_back"
        if self.stage == "loyal":
            return None
        if sum(one.is_order for one in self.within(180, invoice.time)) >= 5:
            return "loyal"
        return None if self.stage == "repeat" else "repeat"

    def big_order(self, order: Invoice) -> None:
        earlier = self.orders()[:-1]
        total = sum(one.revenue for one in earlier)
        if len(earlier) >= 3 and total != 0 and order.revenue * len(earlier) >= 3 * total:
            self.moments.append(Moment(order.customer, "big_order", order.time, (order.id,), tuple(one.id for one in earlier)))

    def cancelled_after_big_spend(self, cancellation: Invoice) -> None:
        for order in self.within(14, cancellation.time):
            if order.is_order and order.revenue >= 1000 and order.id not in self.cancelled:
                self.cancelled.add(order.id)
                self.moments.append(Moment(order.customer, "cancelled_after_big_spend", cancellation.time, (order.id, cancellation.id)))

    def third_cancellation(self, cancellation: Invoice) -> None:
        within = [one.id for one in self.within(60, cancellation.time) if not one.is_order]
        if len(within) == 3:  # It was 2 before this one: what aged out by now is not counted before it either.
            self.moments.append(Moment(cancellation.customer, "third_cancellation", cancellation.time, tuple(within)))

    def high_value(self, now: datetime) -> None:
        holds = sum(one.revenue for one in self.within(365, now)) >= self.threshold
        if holds != self.is_high_value:
            self.is_high_value = holds
            self.segment_changes.append(SegmentChange(self.invoices[0].customer, holds, now))


def figures(year: Answer) -> dict[str, object]:
    """The counts by which two answers are compared at a glance."""
    with localcontext(EXACT):
        return {
            "people": len(year.customers),
            "applied": len(year.orders) + len(year.cancellations),
            "refused": year.refused,
            "orders": len(year.orders),
            "cancellations": len(year.cancellations),
            "revenue of orders": sum(order.revenue for order in year.orders),
            "revenue of cancellations": sum(cancellation.revenue for cancellation in year.cancellations),
            "stages": dict(sorted(Counter(year.stages.values()).items())),
            "stage changes": dict(sorted(Counter(change.target for change in year.stage_changes).items())),
            "stage changes in all": len(year.stage_changes),
            "moments": dict(sorted(Counter(moment.name for moment in year.moments).items())),
            "moments in all": len(year.moments),
            "high_value entries": sum(change.entered for change in year.segment_changes),
            "high_value exits": sum(not change.entered for change in year.segment_changes),
        }


def _print_figures() -> None:
    for name, figure in figures(answer()).items():
        print(f"{name:25} {figure}")


if __name__ == "__main__":
    _print_figures()
