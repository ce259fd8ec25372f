"""The identity policy that ships: which identifiers there are and how far each is trusted. Data only; every number may be changed."""

from streams.identity.policy import IdentifierType, Policy

YEAR_DAYS = 365
MONTH_DAYS = 30
SESSIONS_MAX = 2_000
"""Of sessions and cases a person has many more in a life than of devices and browsers; after so many they are linked to her by no session of theirs."""
OWNER = "customer data"
"""Who answers for the policy, and so for profiles and for who is held to be whom."""

BLOCKED_VALUES = (
    "n/a", "na", "not set", "(not set)", "unknown", "unbekannt", "user", "userid", "user_id", "default", "dummy", "customer", "kunde", "client", "test",
    "tester", "xxx", "void", "empty", "missing", "unassigned",
)  # fmt: skip
"""What forms and tags send where nobody said anything, beyond what no policy lets through (streams/identity/identifiers.py)."""

BLOCKED_EMAILS = (
    r"^([^@]+)@\1\.[a-z.]+$",  # none@none.com, kunde@kunde.de: an address that is its own domain was made up.
    r"^(no-?e?-?mail|none|noreply|no-reply|na|keine|asdf+|qwertz?y?|abc|xxx+|unknown|unbekannt|dummy|test\d*)@",
)
"""Addresses that nobody reads."""

TYPES = (
    IdentifierType(name="user_id", strength="unique", priority=0, limit=1, generic_above=3, aliases=("userId", "user")),
    IdentifierType(name="crm_id", strength="unique", priority=1, limit=1, generic_above=3, aliases=("crmId", "crm")),
    IdentifierType(
        name="email",
        strength="strong",
        priority=2,
        form="email",
        blocked_patterns=BLOCKED_EMAILS,
        limit=5,
        window_days=YEAR_DAYS,
        generic_above=2,
        aliases=("mail", "email_address", "emailAddress"),
    ),
    IdentifierType(
        name="loyalty_id",
        strength="strong",
        priority=3,
        limit=5,
        generic_above=2,
        aliases=("loyaltyId", "loyalty", "loyalty_number", "loyaltyNumber"),
    ),
    IdentifierType(
        name="phone",
        strength="strong",
        priority=4,
        form="phone",
        limit=5,
        window_days=YEAR_DAYS,
        generic_above=2,
        aliases=("phone_number", "phoneNumber", "mobile"),
    ),
    IdentifierType(
        name="device_id",
        strength="weak",
        priority=5,
        form="uuid",
        limit=10,
        generic_above=2,
        nobodys_if_contested=True,
        aliases=("deviceId", "device", "advertising_id", "advertisingId"),
    ),
    IdentifierType(
        name="anonymous_id",
        strength="weak",
        priority=6,
        form="uuid",
        limit=5,
        window_days=MONTH_DAYS,
        generic_above=2,
        nobodys_if_contested=True,
        aliases=("anonymousId", "cookie", "cookie_id"),
    ),
    IdentifierType(
        name="case_id",
        strength="weak",
        priority=7,
        generic_above=1,
        neighbours_max=SESSIONS_MAX,
        expires_hours=90 * 24,
        aliases=("caseId", "case", "ticket_id"),
    ),
    IdentifierType(
        name="session_id",
        strength="weak",
        priority=7,
        generic_above=1,
        neighbours_max=SESSIONS_MAX,
        expires_hours=24,
        aliases=("sessionId", "session"),
    ),
)
"""user_id is a person's login, never a company's; the meaning of each column is in streams/identity/policy.py.

A person has one user_id and one crm_id at most, so a third such identifier seen with an address, a number or a device proves that it is shared: it is
generic above 2. A device or a browser on which several known people were seen belongs to none of them: the latest would be a guess, and of a thousand
pairs held to be one person's one more would be wrong (docs/identity.md). A case goes to whom it was seen with last.
"""


def identity_policy(secret: bytes, default_region: str | None = None) -> Policy:
    """The policy for one tenant: its secret keys every identifier, its region reads phone numbers without a country code."""
    return Policy(secret=secret, types=TYPES, owner=OWNER, blocked_values=BLOCKED_VALUES, default_region=default_region)
