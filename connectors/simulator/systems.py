"""The brand's systems, and what each says of itself and knows of a person. The rule this module owns: SYSTEMS is every one of them.

A browser knows the language that its user reads and the clock that it goes by, a call centre the language that was spoken, a till neither.
"""

from functools import lru_cache
from typing import NamedTuple


class System(NamedTuple):
    """A source of interactions: its name, whose data it brings, who in the company answers for it, and what it knows of where a person lives."""

    name: str
    owner: str
    party: str = "first"
    knows_language: bool = False
    knows_timezone: bool = False


_SHOP = System("shop", "online shop", knows_language=True)
"""Orders and carts at the checkout, wherever they were filled: it knows the account's language, not where the buyer sits."""

SYSTEMS = {
    "web": System("web", "online shop", knows_language=True, knows_timezone=True),
    "mobile": System("app", "online shop", knows_language=True, knows_timezone=True),
    "email": System("mailing", "marketing", knows_language=True),
    "voice": System("call-centre", "customer care", knows_language=True),
    "ticket": System("ticketing", "customer care", knows_language=True),
    "survey": System("survey", "market research", party="second", knows_language=True),
    "store": System("tills", "stores"),
    "back_office": System("erp", "logistics"),
    "iot": System("iot-hub", "product", knows_timezone=True),
    "partner": System("carrier", "logistics", party="second"),
}
"""By channel."""

_ONLINE = ("web", "mobile")
_OF_THE_SHOP = ("Checkout Started", "Order Completed")


@lru_cache(maxsize=1024)
def seen(event: str, channel: str, language: str, timezone: str) -> dict[str, object]:
    """What the system that reports an event adds to it; shared, not to be changed."""
    system = _SHOP if channel in _ONLINE and event in _OF_THE_SHOP else SYSTEMS[channel]
    known: dict[str, object] = {"source": {"system": system.name, "party": system.party, "owner": system.owner}}
    if system.knows_language:
        known["language"] = language
    if system.knows_timezone:
        known["timezone"] = timezone
    return known
