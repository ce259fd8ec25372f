"""One invoice is one interaction, or is refused. The rule this module owns: pure, and no amount ever passes through a float.

InvoiceNo without a letter is an order, `C...` a cancellation; `A...`, and a nameless invoice that takes goods out of stock, are bookkeeping.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw, Struct

from connectors.runtime.instants import rfc3339, since_epoch
from connectors.runtime.sources import Ready, Refused
from schemas import money

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
SYSTEM = "online-retail"
EVENTS = {"": "Order Completed", "C": "Order Cancelled"}
"""What the letter before an invoice's number says; another letter is an accounting entry."""

ACCOUNTING_ENTRY = "an accounting entry: the invoice's number begins with neither a digit nor C"
WRITTEN_OFF = "a stock write-off: no customer, and a negative quantity in all"
UNREADABLE = "a line has not the shop's columns, or a number or a date that is none"
NO_NUMBER = "a line that is no CSV, or has no invoice's number"
"""What a refusal says in detail."""

_LONDON = ZoneInfo("Europe/London")
_ENCODER = msgspec.json.Encoder()
_UNREADABLE = (ArithmeticError, UnicodeError, ValueError)


class Invoice(NamedTuple):
    """The lines of one invoice, in the file's order: as rows of text by COLUMNS, and as the bytes they were read from."""

    number: str
    rows: Sequence[Sequence[str]]
    original: bytes


class _Product(Struct, omit_defaults=True):
    sku: str
    quantity: int
    price: Raw
    name: str = ""


class _Line(NamedTuple):
    product: _Product
    amount: Decimal
    occurred_at: int
    customer: str
    country: str


def interaction(invoice: Invoice) -> Ready | Refused:
    """Map an invoice; refused as `unreadable` where a line is not by COLUMNS, as `not_an_interaction` where it is bookkeeping."""
    try:
        lines = [_line(row) for row in invoice.rows if row[0] == invoice.number]
        if len(lines) < len(invoice.rows):
            return Refused("unreadable", invoice.original, NO_NUMBER)
        bookkeeping = _bookkeeping(invoice.number, lines)
        if bookkeeping is not None:
            return Refused("not_an_interaction", invoice.original, bookkeeping)
        return _ready(invoice.number, lines)
    except _UNREADABLE:
        return Refused("unreadable", invoice.original, UNREADABLE)


def _letter(number: str) -> str:
    return number.rstrip("0123456789")


def _bookkeeping(number: str, lines: Sequence[_Line]) -> str | None:
    """Which kind of bookkeeping it is; None for an order or a cancellation. Stock is written off without a letter, by nobody, in negative quantity."""
    letter = _letter(number)
    if letter not in EVENTS:
        return ACCOUNTING_ENTRY
    written_off = not letter and not lines[0].customer and sum(line.product.quantity for line in lines) < 0
    return WRITTEN_OFF if written_off else None


def _ready(number: str, lines: Sequence[_Line]) -> Ready:
    customer, country = lines[0].customer, lines[0].country
    anonymous = f"invoice-{number}"
    revenue = money.ZERO
    for line in lines:
        revenue = money.add(revenue, line.amount)
    occurred_at = min(line.occurred_at for line in lines)
    value = {
        "messageId": f"{SYSTEM}-{number}",
        "type": "track",
        "event": EVENTS[_letter(number)],
        **({"identifiers": {"crm_id": [customer]}} if customer else {"anonymousId": anonymous}),
        "timestamp": rfc3339(occurred_at),
        "channel": "web",
        "touchpoint": "shop",
        "source": {"system": SYSTEM, "party": "first"},
        "traits": {"country": country} if country else {},
        "properties": {"revenue": _literal(revenue), "currency": "GBP", "products": [line.product for line in lines]},
    }
    return Ready(_ENCODER.encode(value), f"crm_id:{customer}" if customer else f"anonymous_id:{anonymous}", occurred_at)


def _line(row: Sequence[str]) -> _Line:
    """Read a line; ValueError where a column is missing, ArithmeticError or ValueError where a number or a time is none."""
    _, sku, name, quantity, date, price, customer, country = row
    pieces = int(quantity)
    cost, literal = _price(price)
    return _Line(
        _Product(sku, pieces, literal, name), money.multiply(cost, Decimal(pieces)), _occurred_at(date), _customer(customer), country
    )


@lru_cache(maxsize=65536)
def _price(text: str) -> tuple[Decimal, Raw]:
    amount = money.parse(text)
    if amount is None:
        raise ValueError(text)
    return amount, _literal(amount)


def _literal(amount: Decimal) -> Raw:
    return Raw(money.text(amount).encode())


@lru_cache(maxsize=65536)
def _customer(text: str) -> str:
    """The data set prints customers as floats (17850.0): read as the whole number's text."""
    if not text:
        return ""
    number = Decimal(text)
    if number != int(number):
        raise ValueError(text)
    return str(int(number))


def instant(date: str) -> int | None:
    """Microseconds UTC of an InvoiceDate; None where it is none."""
    try:
        return _occurred_at(date)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _occurred_at(date: str) -> int:
    return since_epoch(datetime.fromisoformat(date).replace(tzinfo=_LONDON))
