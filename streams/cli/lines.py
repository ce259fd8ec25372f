"""One record, one line: how each topic's values read on a screen.

The rule this module owns: a line is made from the wire value alone, a field that is missing leaves a gap, and a value that is none of the topic's
is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson
from rich.text import Text

from schemas import topics
from streams import instants, rows
from streams.identity import messages
from streams.identity.identifiers import customer_id

Value = Mapping[str, Any]

CUSTOMER_SHOWN = 10
"""So many characters of a customer id are shown; `kairos who` takes them."""

STYLE_TIME, STYLE_ID, STYLE_NAME, STYLE_GOOD, STYLE_BAD, STYLE_QUIET = "dim", "cyan", "bold", "green", "red", "dim"

STAGE_STYLES = {
    "loyal": "bold green", "won_back": "bold green", "repeat": "green", "first_order": "green", "customer": "green", "advocate": "bold green",
    "at_risk": "yellow", "lapsed": "red", "detractor": "red",
}  # fmt: skip
"""Colours of the stages that ship; another has none."""
STATUS_STYLES = {"fired": "bold green", "suppressed": "yellow", "deferred": "yellow", "expired": "dim", "retracted": "red"}

_DECIMAL = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]+))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def line(topic: str, key: bytes | None, value: bytes | None) -> Text:
    """A record of a topic as one line without its end."""
    if value is None:
        return Text.assemble((_shown(key), STYLE_ID), (" deleted", STYLE_BAD))
    if topic == topics.IDENTITY:
        return identity_message(value)
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Text.assemble((f"{_shown(key)} ", STYLE_ID), (f"{len(value):,} bytes, not JSON", STYLE_QUIET))
    describe = _LINES.get(topic)
    if describe is None or not isinstance(read, dict):
        return Text(clean(value.decode(errors="replace")))
    try:
        return describe(read)
    except (AttributeError, KeyError, TypeError, ValueError):  # not the contract's value: producers may send anything
        return Text(clean(value.decode(errors="replace")))


def clean(text: str) -> str:
    """Text from outside without control characters: no producer moves a reader's cursor."""
    return _CONTROL.sub("�", text)


def short(customer: str) -> str:
    """As much of a customer id as a line shows."""
    return customer[:CUSTOMER_SHOWN]


def when(timestamp: str | None) -> str:
    """An RFC 3339 instant to the minute, or the gap where there is none."""
    return timestamp[:16].replace("T", " ") if isinstance(timestamp, str) else " " * 16


def amount(written: str) -> str:
    """An exact decimal with thousands, to the cent or as exactly as it is, for a person."""
    whole, _, fraction = written.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}.{fraction.rstrip('0'):0<2}"


def money(written: str) -> str:
    """An amount as it was sent, with thousands and two decimals at least; what is no plain decimal as it stands."""
    parts = _DECIMAL.fullmatch(written)
    if parts is None:
        return clean(written)
    sign, whole, fraction = parts.groups()
    return f"{sign}{int(whole):,}.{fraction or '':0<2}"


def stage(value: Value) -> Text:
    """`2011-03-01 09:00  c7abq...  retail  repeat → loyal  by online-retail-5371`."""
    text = _opening(value)
    text.append(f"{value['journey']} ", STYLE_QUIET)
    text.append_text(move(value))
    if value.get("retracts"):
        text.append("  retracted", STYLE_BAD)
    text.append(f"  {because(value['cause'])}", STYLE_QUIET)
    return text


def move(value: Value) -> Text:
    """`repeat → loyal`, each stage in its colour."""
    start = value.get("from")
    to = clean(value["to"])
    return Text.assemble(
        (clean(start) if start else "·", STAGE_STYLES.get(start or "", "")), (" → ", STYLE_QUIET), (to, STAGE_STYLES.get(to, ""))
    )


def because(cause: Value) -> str:
    """What set an output off, in words."""
    if cause["kind"] == "deadline":
        return "by time" + (f", since {clean(cause['messageId'])}" if cause.get("messageId") else f", at {when(cause.get('deadline'))}")
    return f"by {clean(cause.get('messageId') or '?')}"


def moment(value: Value) -> Text:
    """`2011-03-01 09:00  c7abq...  big_order suppressed (cap: at most 3 within 30 days)  Ordered for 1,234.00, 4.2 times the usual 290.00.`"""
    text = _opening(value)
    text.append(clean(value["moment"]), STYLE_NAME)
    status = "retracted" if value.get("retracts") else value["status"]
    text.append(f" {status}", STATUS_STYLES.get(status, ""))
    if value.get("reason"):
        limit = f": {clean(value['limit'])}" if value.get("limit") else ""
        text.append(f" ({clean(value['reason'])}{limit})", STYLE_QUIET)
    text.append(f"  {clean(value['explanation']['text'])}")
    return text


def segment(value: Value) -> Text:
    """`2011-03-01 09:00  c7abq...  entered high_value  reason`."""
    text = _opening(value)
    text.append("entered " if value["entered"] else "left ", STYLE_GOOD if value["entered"] else "yellow")
    text.append(clean(value["segment"]), STYLE_NAME)
    if value.get("retracts"):
        text.append("  retracted", STYLE_BAD)
    text.append(f"  {clean(value['reason'])}", STYLE_QUIET)
    return text


def profile(value: Value) -> Text:
    """`c7abq...  v12  crm_id:17850  retail: loyal  high_value  34 orders 5,391.21 GBP`."""
    text = Text.assemble((short(value["customerId"]), STYLE_ID), (f"  v{value['version']}", STYLE_QUIET))
    if value.get("mergedInto"):
        return text.append_text(Text.assemble("  is now ", (short(value["mergedInto"]), STYLE_ID)))
    names = [f"{kind}:{name}" for kind, found in value["identifiers"].items() for name in found]
    text.append(f"  {clean(names[0]) if names else '-'}" + (f" +{len(names) - 1}" if len(names) > 1 else ""))
    for journey, position in value["journeys"].items():
        text.append(f"  {clean(journey)}: ", STYLE_QUIET)
        text.append(clean(position["stage"]), STAGE_STYLES.get(position["stage"], ""))
    if value["segments"]:
        text.append(f"  {clean(', '.join(value['segments']))}", STYLE_NAME)
    for currency, totals in value["totals"].items():
        text.append(f"  {totals['orders']} orders {amount(totals['revenue'])} {clean(currency)}")
    return text


def dead_letter(value: Value) -> Text:
    """`not_an_interaction  journey.interactions.v1 2 @ 3123  1,204 bytes  detail`."""
    return Text.assemble(
        (clean(value["reason"]), STYLE_BAD),
        (f"  {clean(value['topic'])} {value['partition']} @ {value['offset']}  {value['originalSize']:,} bytes", STYLE_QUIET),
        f"  {clean(value['detail'])}",
    )


def interaction(value: Value) -> Text:
    """`2011-03-01 09:00  Order Completed  crm_id:17850  online-retail-5371`."""
    if value.keys() == {"time"}:
        return Text.assemble((when(value["time"]), STYLE_TIME), ("  (time is said: nothing earlier is still to come)", STYLE_QUIET))
    names = [f"{field}:{value[field]}" for field in ("userId", "anonymousId") if value.get(field)]
    names += [
        f"{kind}:{name}"
        for kind, found in (value.get("identifiers") or {}).items()
        for name in (found if isinstance(found, list) else [found])
    ]
    return Text.assemble(
        (when(value.get("timestamp")), STYLE_TIME),
        (f"  {clean(str(value.get('event') or value.get('type') or '?'))}", STYLE_NAME),
        (f"  {clean(' '.join(names))}", STYLE_ID),
        (f"  {clean(str(value.get('messageId') or ''))}", STYLE_QUIET),
    )


def identity_change(value: Value) -> Text:
    """`2011-03-01 09:00  merge c7abq... + c93fd... → c7abq...`, `2011-03-01 09:00  erasure c7abq...  12 interactions deleted`."""
    if value["kind"] in ("erasure", "after_erasure"):
        text = _erasure(value)
    else:
        before, after = (" + ".join(short(customer) for customer in value[side]) for side in ("from", "into"))
        kind = clean(value["kind"]).replace("_", " ")
        text = Text.assemble((when(value.get("occurredAt")), STYLE_TIME), (f"  {kind}", STYLE_NAME), (f"  {before} → {after}", STYLE_ID))
    if value.get("holds") is False:
        text.append("  too late: a later command holds", STYLE_BAD)
    order = value.get("command")
    return text.append(f"  by {clean(order['actor'])}: {clean(order['reason'])}", STYLE_QUIET) if order else text


def _erasure(value: Value) -> Text:
    """Whom it left without a profile, or at whose identifier something came afterwards, and how many interactions that concerned."""
    customers = " + ".join(short(customer) for customer in value["from"]) or short(value["customerId"])
    deleted, late = (value.get("deleted") or {}).get("interactions", 0), len(value.get("late") or ())
    counts = [
        f"{count:,} interaction{'' if count == 1 else 's'} {what}" for count, what in ((deleted, "deleted"), (late, "not kept")) if count
    ]
    return Text.assemble(
        (when(value.get("occurredAt")), STYLE_TIME),
        (f"  {clean(value['kind']).replace('_', ' ')}", STYLE_NAME),
        (f"  {customers}", STYLE_ID),
        f"  {', '.join(counts)}" if counts else "",
    )


def command(value: Value) -> Text:
    """`2026-03-02 09:00  cannot link  email:ann@kairos.shop crm_id:17850  by ben: a family  6f1d2c3b-0001`."""
    names = " ".join(f"{named['type']}:{named['value']}" for named in value["identifiers"])
    return Text.assemble(
        (when(value["at"]), STYLE_TIME),
        (f"  {clean(value['kind']).replace('_', ' ')}", STYLE_NAME),
        (f"  {clean(names)}", STYLE_ID),
        (f"  by {clean(value['actor'])}: {clean(value['reason'])}  {clean(value['id'])}", STYLE_QUIET),
    )


def identity_conflict(value: Value) -> Text:
    """`2011-03-01 09:00  limit email  c7abq... ≠ c93fd...  kairos identity link email:#... crm_id:#... --why ...`."""
    return Text.assemble(
        (when(value.get("occurredAt")), STYLE_TIME),
        (f"  {clean(value['rule'])}", "yellow"),
        f" {clean(value['identifierType'])}",
        (f"  {' ≠ '.join(short(customer) for customer in value['customers'])}", STYLE_ID),
        (f"  {clean(value['command'])}" if value.get("command") else "", STYLE_QUIET),
    )


def identity_message(value: bytes) -> Text:
    """`event  anchor cabjq2m7wx  ids cabjq2m7wx, c7xk2m1q0z  occurred_at 2011-03-01 09:00  touch online-retail-5371`: an internal message, which is no
    JSON; identifiers as the customer ids that they would give."""
    try:
        read = messages.decode(value)
        if read == messages.GO_ON:
            return Text.assemble(("time", STYLE_NAME), "  go on with the deadlines that are due")
        text = Text(type(read).__name__.lower(), STYLE_NAME)
        for name in read.__struct_fields__:
            text.append(f"  {name} ", STYLE_QUIET).append(_FIELDS.get(name, _field)(getattr(read, name)))
    except (msgspec.DecodeError, ValueError):
        return Text(f"{len(value):,} bytes, no message of the identity protocol", STYLE_QUIET)
    return text


def _field(value: object) -> str:
    if isinstance(value, bytes):
        return short(customer_id(value))
    if isinstance(value, tuple):
        return ", ".join(map(_field, value)) or "-"
    return "-" if value is None else clean(str(value))


def _bytes(value: bytes) -> str:
    return f"{len(value):,} bytes"


def _instant(value: int) -> str:
    return when(instants.text(value))


def _touch(value: bytes) -> str:
    return clean(rows.decode_touch(value).id)


_FIELDS: dict[str, Callable[[Any], str]] = {
    "uid": bytes.hex, "touch": _touch, "body": _bytes, "occurred_at": _instant, "at": _instant, "until": _instant, "time": _instant,
}  # fmt: skip
"""Fields of internal messages that are neither an identifier nor a plain value."""


def _opening(value: Value) -> Text:
    return Text.assemble((when(value["occurredAt"]), STYLE_TIME), (f"  {short(value['customerId'])}  ", STYLE_ID))


def _shown(key: bytes | None) -> str:
    if key is None:
        return "(no key)"
    return key.decode() if key.isascii() and key.decode().isprintable() else key.hex()


_LINES: dict[str, Callable[[Value], Text]] = {
    topics.INTERACTIONS: interaction,
    topics.COMMANDS: command,
    topics.DEAD_LETTERS: dead_letter,
    topics.PROFILES: profile,
    topics.STAGES: stage,
    topics.SEGMENTS: segment,
    topics.MOMENTS: moment,
    topics.IDENTITY_CHANGES: identity_change,
    topics.IDENTITY_CONFLICTS: identity_conflict,
}
