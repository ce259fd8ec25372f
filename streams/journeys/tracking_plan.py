"""The events that the brand's touchpoints send, what each carries, and the systems that send them.

A rule that names another event, near one of these, is taken for a slip; another system is taken, and counted as other.
"""

from schemas.interaction import EVENTS

PLAN: dict[str, tuple[str, ...]] = {
    "Page Viewed": ("url", "title"),
    "Screen Viewed": ("name",),
    "Product Viewed": ("sku", "price", "currency"),
    "Product Added": ("sku", "price", "currency", "quantity"),
    "Checkout Started": ("revenue", "currency"),
    "Order Completed": ("revenue", "currency", "products"),
    "Order Cancelled": ("revenue", "currency"),
    "Order Refunded": ("revenue", "currency"),
    "Lead Captured": ("form",),
    "Identify": (),
    "Email Opened": ("campaign",),
    "Email Clicked": ("campaign", "url"),
    "Call Started": (),
    "Call Ended": (),
    "Case Opened": ("kind",),
    "Case Updated": (),
    "Case Solved": (),
    "Survey Answered": ("score",),
    "Delivery Failed": ("carrier",),
    "Device Reported": ("status",),
    "Review Posted": ("stars",),
    "Store Visited": ("store",),
    "Consent Changed": (),
}
"""Each event's name, and its properties."""

KNOWN_EVENTS = frozenset(PLAN) | frozenset(EVENTS)

SOURCES = frozenset(
    ["shop", "web", "app", "mailing", "call-centre", "ticketing", "survey", "tills", "erp", "iot-hub", "carrier", "online-retail"]
)
"""The source systems (`source.system`) that metrics tell apart."""
