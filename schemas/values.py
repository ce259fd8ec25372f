"""The type of each topic's value; the identity topic has none, its messages are Kairos's own."""

from collections.abc import Mapping

from msgspec import Struct

from schemas import topics
from schemas.command import Command
from schemas.dead_letter import DeadLetter
from schemas.delivery import DeadDelivery, EndpointSwitch
from schemas.identity_change import IdentityChange
from schemas.identity_conflict import IdentityConflict
from schemas.interaction import Interaction
from schemas.moment import Moment
from schemas.profile import Profile
from schemas.segment import SegmentChange
from schemas.stage import StageChange

VALUES: Mapping[str, type[Struct]] = {
    topics.INTERACTIONS: Interaction,
    topics.COMMANDS: Command,
    topics.DEAD_LETTERS: DeadLetter,
    topics.PROFILES: Profile,
    topics.STAGES: StageChange,
    topics.SEGMENTS: SegmentChange,
    topics.MOMENTS: Moment,
    topics.IDENTITY_CHANGES: IdentityChange,
    topics.IDENTITY_CONFLICTS: IdentityConflict,
    topics.DEAD_DELIVERIES: DeadDelivery,
    topics.ENDPOINTS: EndpointSwitch,
}
"""By the topic's name, in the order of one event's way."""
