"""The shop's year, invoice by invoice: what is an interaction, what is refused, and that nothing is lost or rounded."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.online_retail.mapping import ACCOUNTING_ENTRY, NO_NUMBER, UNREADABLE, WRITTEN_OFF
from connectors.online_retail.source import READER
from connectors.runtime.sources import Ready, Refused, mapped

SHOP = Path(__file__).parents[2] / "data" / "online-retail.csv.gz"
HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@pytest.fixture(scope="module")
def year() -> list[Ready | Refused]:
    return list(mapped(READER, SHOP))


def _map(tmp_path: Path, lines: str | bytes) -> list[Ready | Refused]:
    file = tmp_path / "shop.csv"
    file.write_bytes(HEADING.encode() + (lines if isinstance(lines, bytes) else lines.encode()))
    return list(mapped(READER, file))


def _only(tmp_path: Path, lines: str) -> dict[str, object]:
    (ready,) = _map(tmp_path, lines)
    assert isinstance(ready, Ready)
    value: dict[str, object] = json.loads(ready.value, parse_float=Decimal)
    return value


def test_every_invoice_of_the_year_is_an_interaction_or_refused(year: list[Ready | Refused]) -> None:
    ready = [one for one in year if isinstance(one, Ready)]
    events = Counter(json.loads(one.value)["event"] for one in ready)

    assert len(year) == 25_900
    assert events == {"Order Completed": 20_725, "Order Cancelled": 3_836}
    assert Counter(one.reason for one in year if isinstance(one, Refused)) == {"not_an_interaction": 1_339}
    assert len({one.identifier for one in ready}) == 6_743
    assert len({json.loads(one.value)["messageId"] for one in ready}) == 24_561


def test_the_year_is_in_order_and_its_times_are_known_ahead(year: list[Ready | Refused]) -> None:
    times = list(READER.times(SHOP))

    assert times == sorted(time for time in times if time is not None)
    assert all(time == one.occurred_at for time, one in zip(times, year, strict=True) if isinstance(one, Ready))


def test_no_line_of_the_year_is_lost(year: list[Ready | Refused]) -> None:
    products = sum(len(json.loads(one.value)["properties"]["products"]) for one in year if isinstance(one, Ready))
    refused = sum(one.original.count(b"\n") for one in year if isinstance(one, Refused))

    assert products + refused == 541_909


def test_an_invoice_becomes_one_interaction(tmp_path: Path) -> None:
    value = _only(
        tmp_path,
        "1,A1,LAMP,3,2011-07-01 08:26:00,0.1,17850.0,France\n1,A2,,2,2011-07-01 08:25:00,1.005,17850.0,France\n",
    )

    assert value == {
        "messageId": "online-retail-1",
        "type": "track",
        "event": "Order Completed",
        "identifiers": {"crm_id": ["17850"]},
        "timestamp": "2011-07-01T07:25:00Z",
        "channel": "web",
        "touchpoint": "shop",
        "source": {"system": "online-retail", "party": "first"},
        "traits": {"country": "France"},
        "properties": {
            "revenue": Decimal("2.31"),
            "currency": "GBP",
            "products": [
                {"sku": "A1", "name": "LAMP", "quantity": 3, "price": Decimal("0.1")},
                {"sku": "A2", "quantity": 2, "price": Decimal("1.005")},
            ],
        },
    }


def test_an_invoice_without_a_customer_is_a_prospect_of_its_own(tmp_path: Path) -> None:
    value = _only(tmp_path, "7,A1,LAMP,3,2011-01-01 08:26:00,0.1,,France\n")

    assert value["anonymousId"] == "invoice-7"
    assert "identifiers" not in value


def test_a_cancellation_has_negative_revenue_even_without_a_customer(tmp_path: Path) -> None:
    value = _only(tmp_path, "C7,A1,LAMP,-3,2011-01-01 08:26:00,0.1,,France\n")

    assert value["event"] == "Order Cancelled"
    assert value["properties"]["revenue"] == Decimal("-0.3")  # type: ignore[index]  # a JSON object


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (b"A7,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom\n", ACCOUNTING_ENTRY),
        (b"7,A1,smashed,-3,2011-08-12 14:50:00,0,,United Kingdom\n7,A2,,1,2011-08-12 14:50:00,0,,United Kingdom\n", WRITTEN_OFF),
    ],
)
def test_bookkeeping_is_refused_with_its_bytes_and_its_kind(tmp_path: Path, lines: bytes, detail: str) -> None:
    assert _map(tmp_path, lines) == [Refused("not_an_interaction", lines, detail)]


def test_goods_taken_back_from_a_known_customer_are_no_write_off(tmp_path: Path) -> None:
    assert _only(tmp_path, "7,A1,LAMP,-3,2011-01-01 08:26:00,1,5.0,France\n")["event"] == "Order Completed"


def test_lines_that_stand_apart_are_one_invoice_in_the_place_of_its_first(tmp_path: Path) -> None:
    row = ",A1,LAMP,1,2011-01-01 08:26:00,1,5.0,France\n"

    ready = _map(tmp_path, "".join(number + row for number in "12132"))

    values = [json.loads(one.value) for one in ready if isinstance(one, Ready)]
    assert [value["messageId"] for value in values] == ["online-retail-1", "online-retail-2", "online-retail-3"]
    assert [len(value["properties"]["products"]) for value in values] == [2, 2, 1]


@pytest.mark.parametrize(
    "line",
    [
        b"2,too,few\n",
        b"2,A1,LAMP,many,2011-01-01 08:26:00,1,5.0,France\n",
        b"2,A1,LAMP,1,yesterday,1,5.0,France\n",
        b"2,A1,LAMP,1,2011-01-01 08:26:00,NaN,5.0,France\n",
        b"2,A1,LAMP,1,2011-01-01 08:26:00,1,5.5,France\n",
        b"2,A1,\xff\xfe,1,2011-01-01 08:26:00,1,5.0,France\n",
        b",A1,LAMP,1,2011-01-01 08:26:00,1,5.0,France\n",
        b"2,A1," + b"x" * 140_000 + b",1,2011-01-01 08:26:00,1,5.0,France\n",
    ],
)
def test_an_unreadable_line_costs_its_own_invoice_alone(tmp_path: Path, line: bytes) -> None:
    good = b"%d,A1,LAMP,1,2011-01-01 08:26:00,1,5.0,France\n"

    before, refused, after = _map(tmp_path, good % 1 + line + b"\n" + good % 3)

    assert isinstance(before, Ready)
    assert refused == Refused("unreadable", line, NO_NUMBER if line.startswith(b",") or len(line) > 131_072 else UNREADABLE)
    assert isinstance(after, Ready)
    times = list(READER.times(tmp_path / "shop.csv"))
    assert (len(times), times[0], times[2]) == (3, before.occurred_at, after.occurred_at)


def test_a_packed_file_reads_as_the_plain_one(tmp_path: Path) -> None:
    lines = HEADING + '1,A1,"RECORD ""7"", SINGLE",1,2011-01-01 08:26:00,1,5.0,France\n'
    (tmp_path / "plain").write_text(lines)
    (tmp_path / "packed").write_bytes(gzip.compress(lines.encode()))

    assert list(mapped(READER, tmp_path / "plain")) == list(mapped(READER, tmp_path / "packed"))
