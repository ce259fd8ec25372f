"""The web shop: who is new, loyal, at risk, lost and won back, and the moments that decide it."""

from streams.language import (
    BUSINESS_MOMENT,
    START,
    Journey,
    Moment,
    Segment,
    after_each,
    count,
    days,
    event,
    hours,
    mean,
    rises_to,
    silence,
    stage,
    sum_,
)

order = event("Order Completed")
cancelled = event("Order Cancelled")
earlier = order.before  # the customer's orders before this one
big = order.where(order.revenue.in_currency("GBP") >= 1000)

retail = Journey(
    name="retail",
    owner="shop",
    transitions=[
        # from                                           to             when
        (START,                                          "prospect",    ~order),
        ((START, "prospect"),                            "first_order", order),
        (("at_risk", "lapsed"),                          "won_back",    order),
        (("first_order", "repeat", "won_back"),          "loyal",       order & (count(order, within=days(180)) >= 5)),
        (("first_order", "won_back"),                    "repeat",      order),
        (("first_order", "repeat", "loyal", "won_back"), "at_risk",     silence(order, days(90))),
        ("at_risk",                                      "lapsed",      silence(order, days(180))),
    ],
)  # fmt: skip

big_order = Moment(
    name="big_order",
    scope=BUSINESS_MOMENT,
    owner="shop",
    when=order & (count(earlier) >= 3) & (mean(earlier.revenue) > 0) & (order.revenue >= 3 * mean(earlier.revenue)),
    significance=order.revenue / mean(earlier.revenue),
    # Of the orders that make the mean those that the timeline still holds: no older one can be shown, only the sums outlive it.
    evidence=count(earlier, within=days(400)),
    because="Ordered for {order.revenue}, {significance:.1f} times the usual {mean(earlier.revenue)}.",
    expires=hours(48),
)

cancelled_after_big_spend = Moment(
    name="cancelled_after_big_spend",
    scope=BUSINESS_MOMENT,
    owner="shop",
    when=after_each(cancelled, first=big, within=days(14)),
    significance=2,
    because="Cancelled within 14 days of an order of 1,000 GBP or more.",
    expires=hours(48),
)

third_cancellation = Moment(
    name="third_cancellation",
    scope=BUSINESS_MOMENT,
    owner="shop",
    when=rises_to(count(cancelled, within=days(60)), 3),
    significance=3,
    because="Cancelled for the third time within 60 days.",
    expires=hours(48),
)

loyal_gone_quiet = Moment(
    name="loyal_gone_quiet",
    scope=BUSINESS_MOMENT,
    owner="shop",
    when=silence(order, days(45)) & stage("retail").is_("loyal"),
    significance=4,
    because="Loyal, and no order for 45 days.",
    expires=days(7),
)

high_value = Segment(
    name="high_value",
    purpose="Worth a personal contact and early access.",
    owner="shop",
    when=sum_(order.revenue.in_currency("GBP"), within=days(365)) + sum_(cancelled.revenue.in_currency("GBP"), within=days(365)) >= 5000,
    reason="Bought for 5,000 GBP or more within a year, cancellations netted.",
    left="Bought for less than 5,000 GBP within the last year, cancellations netted.",
)
