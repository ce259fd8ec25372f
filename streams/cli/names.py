"""The short names of topics, as `kairos tail` takes them."""

from schemas import topics

SHORT = {
    "interactions": topics.INTERACTIONS,
    "dead": topics.DEAD_LETTERS,
    "identity": topics.IDENTITY,
    "commands": topics.COMMANDS,
    "profiles": topics.PROFILES,
    "stages": topics.STAGES,
    "segments": topics.SEGMENTS,
    "moments": topics.MOMENTS,
    "changes": topics.IDENTITY_CHANGES,
    "conflicts": topics.IDENTITY_CONFLICTS,
    "undelivered": topics.DEAD_DELIVERIES,
    "endpoints": topics.ENDPOINTS,
}


def full(name: str) -> str | None:
    """The topic that a short or a full name means; None where it is none of ours."""
    return SHORT.get(name) or (name if name in topics.BY_NAME else None)
