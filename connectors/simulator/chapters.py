"""What people do: a life is a row of chapters, drawn from CHAPTERS by weight. The rule this module owns: a chapter only uses what a touchpoint sees.

So one person is a cookie here, a telephone number there, a loyalty card at the till, until something links them.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

from connectors.simulator.life import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Life, Who
from connectors.simulator.people import VISITOR

CURRENCY = "EUR"
_PRODUCTS = tuple((f"sku-{number:03d}", round(4.9 + number * 7.35, 2)) for number in range(60))
_PAGES = ("/", "/sale", "/new", "/search", "/stores", "/help", "/about", "/blog")
_CAMPAIGNS = ("welcome", "spring", "restock", "anniversary")
_CASE_TOPICS = ("delivery", "billing", "quality", "returns")


class Chapter(NamedTuple):
    """A chapter, how often it is drawn, and what a person must have for it."""

    weight: float
    play: Callable[[Life], None]
    needs: Callable[[Life], bool] = lambda life: True


def live(life: Life) -> None:
    """Live until the budget of interactions is spent or the simulated time ends."""
    if life.person.kind == VISITOR:
        while len(life.told) < life.budget and life.now_ms < life.end_ms:
            _visit(life)
            life.wait(HOUR_MS, 6 * DAY_MS)
        return
    _first_contact(life)
    able = [chapter for chapter in CHAPTERS if chapter.needs(life)]
    weights = list(accumulate(chapter.weight for chapter in able))
    while len(life.told) < life.budget and life.now_ms < life.end_ms:
        life.wait(2 * HOUR_MS, 5 * DAY_MS)
        drawn = life.random() * weights[-1]
        next(chapter for chapter, weight in zip(able, weights, strict=True) if drawn < weight).play(life)


def _visit(life: Life) -> None:
    """Anonymous browsing; now and then an address is left."""
    who = _browser(life)
    _browse(life, who, 1 + life.pick(4))
    if life.random() < 0.2:
        person = life.person
        life.tell(
            "Lead Captured",
            "web",
            "form",
            who | life.who(email=person.emails[0]),
            {"form": "newsletter"},
            traits={"email": person.emails[0], "country": person.country},
        )


def _first_contact(life: Life) -> None:
    """A customer's beginning: silos that know one identifier each, days apart, before anything links them."""
    person = life.person
    _browse(life, _browser(life, person.cookies[0]), 1 + life.pick(2))
    silos = (
        (0.65, "Email Opened", "email", "newsletter", "email", person.emails[0]),
        (0.45, "Call Started", "voice", "sales_line", "phone", person.phone),
        (0.6, "Store Visited", "store", "flagship", "loyalty_id", person.loyalty_id),
    )
    for share, event, channel, touchpoint, kind, value in silos:
        if value is not None and life.random() < share:
            life.wait(DAY_MS, 7 * DAY_MS)
            life.tell(event, channel, touchpoint, life.who(**{kind: value}))
    life.wait(DAY_MS, 7 * DAY_MS)
    who = _browser(life, person.cookies[0])
    if person.user_id is not None:
        _register(life, who)
    else:
        life.tell("Lead Captured", "web", "form", who | life.who(email=person.emails[0], crm_id=person.crm_id), {"form": "contact"})


def _register(life: Life, who: Who) -> None:
    person = life.person
    gives = life.random()
    seen = who | life.who(
        user_id=person.user_id,
        email=person.emails[0],
        phone=person.phone if gives < 0.5 else None,
        loyalty_id=person.loyalty_id if gives > 0.3 else None,
    )
    traits = {"email": person.emails[0], "firstName": person.first_name, "country": person.country}
    life.tell("Identify", "web", "account", seen, type="identify", traits=traits)
    if person.account is not None:
        account = {"id": person.account, "name": person.account.title()}
        life.tell("Group", "web", "account", seen, type="group", groupId=person.account, account=account)


def _browser(life: Life, cookie: str | None = None) -> Who:
    """A session in a browser: on one of the person's own devices, or on the household's tablet."""
    person = life.person
    life.sessions += 1
    if cookie is None:
        shared = person.household.size > 1 and life.random() < 0.25
        cookie = person.household.cookie if shared else person.cookies[life.pick(len(person.cookies))]
    session = f"s-{person.number}-{life.sessions}" if life.random() < 0.5 else None
    return life.who(anonymous_id=cookie, session_id=session)


def _browse(life: Life, who: Who, pages: int) -> None:
    for _ in range(pages):
        if life.random() < 0.5:
            life.tell("Page Viewed", "web", "shop", who, {"path": _PAGES[life.pick(8)]}, type="page")
        else:
            sku, price = _PRODUCTS[life.pick(60)]
            life.tell("Product Viewed", "web", "shop", who, {"sku": sku, "price": price, "currency": CURRENCY})
        life.wait(5 * SECOND_MS, 3 * MINUTE_MS)


def _shop(life: Life) -> None:
    """A visit to the shop: browsing before the login, then perhaps a cart, and perhaps an order."""
    who = _browser(life)
    _browse(life, who, 1 + life.pick(3))
    if life.random() < 0.55:
        who = who | life.who(user_id=life.person.user_id, email=None if life.person.user_id else life.person.emails[0])
    drawn = life.random()
    if drawn < 0.6:
        _fill_cart(life, who, "web", "shop")
    if drawn < 0.35:
        life.wait(MINUTE_MS, 10 * MINUTE_MS)
        _order(life, who, "web", "shop")


def _app(life: Life) -> None:
    """The telephone's app: a device, and from the login on a person."""
    person = life.person
    on_device = life.who(device_id=person.household.device if person.household.size > 1 and life.random() < 0.15 else person.device)
    life.tell("Page Viewed", "mobile", "app", on_device, {"path": "/home"}, type="screen")
    life.wait(5 * SECOND_MS, MINUTE_MS)
    seen = on_device | life.who(user_id=person.user_id) if life.random() < 0.8 else on_device
    sku, price = _PRODUCTS[life.pick(60)]
    life.tell("Product Viewed", "mobile", "app", seen, {"sku": sku, "price": price, "currency": CURRENCY})
    if life.random() < 0.4:
        _fill_cart(life, seen, "mobile", "app")
        if life.random() < 0.5:
            _order(life, seen, "mobile", "app")


def _fill_cart(life: Life, who: Who, channel: str, touchpoint: str) -> None:
    sku, price = _PRODUCTS[life.pick(60)]
    life.tell("Product Added", channel, touchpoint, who, {"sku": sku, "price": price, "quantity": 1 + life.pick(3), "currency": CURRENCY})
    life.wait(10 * SECOND_MS, 5 * MINUTE_MS)
    if life.random() < 0.6:
        life.tell("Checkout Started", channel, touchpoint, who, {"value": price, "currency": CURRENCY})
        life.wait(10 * SECOND_MS, 5 * MINUTE_MS)


def _order(life: Life, who: Who, channel: str, touchpoint: str) -> None:
    """An order, which may be cancelled or refunded later."""
    life.orders += 1
    cents = 500 + int(life.random() ** 3 * 60_000)
    properties: dict[str, object] = {"orderId": f"o-{life.person.number}-{life.orders}", "revenue": cents / 100, "currency": CURRENCY}
    account = life.person.account
    life.tell("Order Completed", channel, touchpoint, who, properties, **({"account": {"id": account}} if account else {}))
    drawn = life.random()
    if drawn < 0.1:
        life.wait(HOUR_MS, 2 * DAY_MS)
        life.tell(
            "Order Cancelled" if drawn < 0.06 else "Order Refunded",
            "back_office",
            "order_desk",
            _known(life),
            {**properties, "revenue": -cents / 100},
        )


def _known(life: Life) -> Who:
    """As the brand's own systems know a customer."""
    person = life.person
    if person.crm_id is not None:
        return life.who(crm_id=person.crm_id, email=person.emails[-1] if life.random() < 0.3 else None)
    return life.who(user_id=person.user_id) if person.user_id is not None else life.who(email=person.emails[0])


def _mail(life: Life) -> None:
    person = life.person
    email = person.emails[life.pick(len(person.emails))]
    campaign: dict[str, object] = {"campaign": _CAMPAIGNS[life.pick(4)]}
    life.tell("Email Opened", "email", "newsletter", life.who(email=email), campaign)
    life.wait(5 * SECOND_MS, 10 * MINUTE_MS)
    if life.random() < 0.4:
        cookie = person.cookies[life.pick(len(person.cookies))]
        life.tell("Email Clicked", "email", "newsletter", life.who(email=email, anonymous_id=cookie), campaign)


def _call(life: Life) -> None:
    """A call starts as a number and ends as whoever the agent found."""
    person, minutes = life.person, 1 + life.pick(20)
    conversation = f"call-{person.number}-{len(life.told)}"
    life.tell("Call Started", "voice", "service_line", life.who(phone=person.phone), conversationId=conversation, direction="inbound")
    life.wait(minutes * MINUTE_MS, (minutes + 1) * MINUTE_MS)
    found = life.who(phone=person.phone, crm_id=person.crm_id, user_id=person.user_id if person.crm_id is None else None)
    operator = {"name": f"agent-{life.pick(30)}", "party": "first"}
    life.tell("Call Ended", "voice", "service_line", found, conversationId=conversation, durationSeconds=minutes * 60, operator=operator)


def _case(life: Life) -> None:
    drawn = life.random()
    kind = "complaint" if drawn < 0.25 + 0.2 * life.person.is_unlucky else "question" if drawn < 0.8 else "failure"
    _open_case(life, kind)


def _open_case(life: Life, kind: str) -> None:
    person = life.person
    life.cases += 1
    case = f"case-{person.number}-{life.cases}"
    topic = _CASE_TOPICS[life.pick(4)]
    opener = life.who(case_id=case, email=person.emails[0]) if life.random() < 0.6 else life.who(case_id=case) | _known(life)
    life.tell("Case Opened", "ticket", "help_desk", opener, {"kind": kind}, topic=topic, text=f"A {kind} about {topic}.")
    if life.random() < 0.3:
        life.wait(HOUR_MS, DAY_MS)
        life.tell("Case Updated", "ticket", "help_desk", life.who(case_id=case), {"status": "waiting"}, topic=topic)
    if life.random() < 0.7:
        life.wait(HOUR_MS, 3 * DAY_MS)
        life.tell("Case Solved", "ticket", "help_desk", life.who(case_id=case) | _known(life), {"status": "solved"}, topic=topic)


def _survey(life: Life) -> None:
    score = min(10, int((0.25 if life.person.is_unlucky else 0.45 + 0.55 * life.person.temper) * 8 + life.random() * 4))
    life.tell("Survey Answered", "survey", "nps", life.who(email=life.person.emails[0]), {"score": score})


def _store(life: Life) -> None:
    card = life.who(loyalty_id=life.person.loyalty_id)
    life.tell("Store Visited", "store", f"store-{life.pick(40)}", card)
    life.wait(MINUTE_MS, 40 * MINUTE_MS)
    if life.random() < 0.6:
        linked = life.who(loyalty_id=life.person.loyalty_id, email=life.person.emails[0]) if life.random() < 0.4 else card
        _order(life, linked, "store", "till")


def _appliance(life: Life) -> None:
    """A connected appliance reports; now and then its owner looks at it while logged in."""
    person = life.person
    who = life.who(device_id=person.appliance)
    if person.user_id is not None and life.random() < 0.4:
        who = who | life.who(user_id=person.user_id)
    status = "fault" if life.random() < (0.5 if person.is_unlucky else 0.1) else "ok"
    life.tell("Device Reported", "iot", "appliance", who, {"status": status, "temperature": 20 + life.pick(30)})


def _delivery(life: Life) -> None:
    life.tell(
        "Delivery Failed",
        "partner",
        "carrier",
        _known(life),
        {"attempt": 1 + life.pick(3)},
    )


def _review(life: Life) -> None:
    stars = 1 + life.pick(2) if life.person.is_unlucky else 3 + life.pick(3)
    life.tell("Review Posted", "web", "reviews", life.who(user_id=life.person.user_id), {"stars": stars})


def _consent(life: Life) -> None:
    state = "granted" if life.random() < 0.7 else "denied"
    consent = [{"purpose": "marketing", "channel": ("email", "sms", "voice")[life.pick(3)], "state": state, "basis": "consent"}]
    life.tell("Consent Changed", "web", "preferences", life.who(email=life.person.emails[0]), consent=consent)


def _spoiled_purchase(life: Life) -> None:
    """An order, and a complaint about it within days."""
    _order(life, _known(life), "web", "shop")
    life.wait(6 * HOUR_MS, 3 * DAY_MS)
    _open_case(life, "complaint")


def _run_of_failures(life: Life) -> None:
    """Service fails again and again, within two weeks."""
    for _ in range(3):
        _delivery(life) if life.random() < 0.5 else _open_case(life, "failure")
        life.wait(6 * HOUR_MS, 4 * DAY_MS)
    _survey(life)


CHAPTERS = (
    Chapter(30, _shop),
    Chapter(9, _app, lambda life: life.person.device is not None),
    Chapter(10, _mail),
    Chapter(8, _call, lambda life: life.person.phone is not None),
    Chapter(6, _case),
    Chapter(5, _survey),
    Chapter(8, _store, lambda life: life.person.loyalty_id is not None),
    Chapter(8, _appliance, lambda life: life.person.appliance is not None),
    Chapter(2, _delivery),
    Chapter(4, _review, lambda life: life.person.user_id is not None),
    Chapter(3, _consent),
    Chapter(12, _spoiled_purchase, lambda life: life.person.is_unlucky),
    Chapter(10, _run_of_failures, lambda life: life.person.is_unlucky),
)
