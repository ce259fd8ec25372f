"""An omnichannel retailer: from an anonymous visit to an advocate or a detractor, and the moments in which that is decided."""

from streams.language import (
    BUSINESS_MOMENT,
    DEFINING_MOMENT,
    MOMENT_OF_TRUTH,
    START,
    Balance,
    Journey,
    Moment,
    absent,
    after,
    anything,
    at_most,
    count,
    days,
    event,
    hours,
    rises,
    rises_to,
)

order = event("Order Completed")
cancelled = event("Order Cancelled")
refunded = event("Order Refunded")
added = event("Product Added")
checkout = event("Checkout Started")
lead = event("Lead Captured") | event("Identify")
survey = event("Survey Answered")
review = event("Review Posted")
opened = event("Case Opened")
solved = event("Case Solved")

complaint = opened.where(opened.kind.is_("complaint"))
fault = event("Device Reported").where(event("Device Reported").status.is_("fault"))
failure = event("Delivery Failed") | opened.where(opened.kind.is_("failure")) | fault
praise = survey.where(survey.score >= 9) | review.where(review.stars >= 5)
blame = survey.where(survey.score <= 6) | review.where(review.stars <= 2)

# A grievance outlives a pleasure: emotion halves in half the time, so that irritation may exceed it by time alone.
emotion = Balance(
    "emotion", half_life=days(45), plus={order: 20, praise: 25, solved: 5, event("Store Visited"): 3, event("Email Clicked"): 1}
)
irritation = Balance(
    "irritation", half_life=days(90), plus={failure: 12, complaint: 15, blame: 15, cancelled: 4, refunded: 4}, minus={solved: 8}
)

brand = Journey(
    name="brand",
    owner="customer care",
    transitions=[
        # from                                to           when
        ((START, "visitor", "lead"),          "customer",  order),
        ((START, "visitor"),                  "lead",      lead),
        (START,                               "visitor",   anything),
        (("customer", "detractor"),           "advocate",  praise),
        (("customer", "advocate"),            "detractor", blame | rises(irritation > emotion)),
        ("detractor",                         "customer",  order),
    ],
)  # fmt: skip

cart_abandoned = Moment(
    name="cart_abandoned",
    scope=BUSINESS_MOMENT,
    owner="online shop",
    when=absent(order, after=added | checkout, within=hours(4)),
    significance=count(added, within=hours(24)),
    because="Left the cart 4 hours ago and has not ordered; products added within a day: {count(added, within=hours(24))}.",
    expires=hours(24),
    once_per=days(3),
    cap=at_most(3, within=days(30)),
    action="remind of the cart",
    channel="email",
)

complaint_after_purchase = Moment(
    name="complaint_after_purchase",
    scope=MOMENT_OF_TRUTH,
    owner="customer care",
    when=after(complaint, first=order, within=days(14)),
    significance=2 + count(order),
    because="Complains within 14 days of a purchase; it was order number {count(order)}.",
    expires=hours(24),
    action="call back",
    channel="voice",
)

repeated_service_failure = Moment(
    name="repeated_service_failure",
    scope=MOMENT_OF_TRUTH,
    owner="customer care",
    when=rises_to(count(failure, within=days(30)), 2) | rises_to(count(failure, within=days(30)), 4),
    significance=2 * count(failure, within=days(30)),
    because="Service has failed {count(failure, within=days(30))} times within 30 days.",
    expires=hours(48),
    action="make good before the customer asks",
    channel="voice",
)

irritation_exceeds_emotion = Moment(
    name="irritation_exceeds_emotion",
    scope=DEFINING_MOMENT,
    owner="customer care",
    when=rises(irritation > emotion),
    significance=irritation / 5,
    evidence=count(failure | complaint | blame, within=days(90)),
    because="Irritation with us ({irritation}) has caught up with the joy in what was bought ({emotion}).",
    expires=days(3),
    action="speak in person",
    channel="voice",
)
