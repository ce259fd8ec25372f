"""Every agent, on one screen: decide, finish.

The key changes once between them: `intake` reads interactions under any key and sends each to its anchor; `customer` reads what concerns one
identifier; `ordered` reads commands about who is who and sends them to the identifiers that they name. A new agent only where a key changes or a
failure must be isolated.
"""

from collections.abc import AsyncIterator

from schemas import topics
from streams.boundary import Decision
from streams.customer import decision
from streams.customer.horizon import Limits
from streams.engine import Batch, Engine, Record
from streams.identity.policy import Policy
from streams.intake import commands, refusal, steps
from streams.language import Rulebook

TABLE = "customers"
"""The one table; its changelog is named <app id>-customers-changelog."""


def register(
    engine: Engine,
    policy: Policy,
    rulebook: Rulebook,
    partitions: int,
    limits: Limits,
    sources: frozenset[str] = frozenset(),
    group: str = "",
) -> None:
    """Give the engine its agents; `partitions` is the number that every co-partitioned topic has, `sources` the systems that counts tell apart, `group`
    the consumer group that they read as."""

    @engine.agent(topics.INTERACTIONS, feeds=topics.IDENTITY)
    async def intake(batches: AsyncIterator[Batch]) -> None:
        """Make of each record an anchored interaction or a dead letter."""
        async for batch in batches:
            await batch.finish(steps.decide(batch.records, batch.clock, policy, partitions, sources, group))

    @engine.agent(topics.COMMANDS, feeds=topics.IDENTITY)
    async def ordered(batches: AsyncIterator[Batch]) -> None:
        """Make of each command messages to those whom it concerns, or a dead letter."""
        async for batch in batches:
            await batch.finish(commands.decide(batch.records, batch.clock, policy, group))

    @engine.agent(topics.IDENTITY, table=TABLE)
    async def customer(batches: AsyncIterator[Batch]) -> None:
        """Fold each batch of one partition into the customers it touches, and say what changed."""
        async for batch in batches:
            await batch.finish(decision.decide(batch.records, batch.rows, batch.clock, policy, rulebook, partitions, limits))

    @engine.on_poison
    def poison(topic: str, record: Record, error: Exception) -> Decision | None:
        """An interaction or a command that fails alone, every time, is refused; only the error's kind is told, for its text may hold what the record held.

        A message of the identity protocol carries what others have sent: without it people would be wrong, so the worker ends and says why.
        """
        counted = {topics.INTERACTIONS: "kairos_interactions", topics.COMMANDS: "kairos_commands"}.get(topic)
        if counted is None:
            return None
        found = refusal.Refusal("poison", type(error).__name__)
        letter = refusal.dead_letter(record, found, record.timestamp_ms * 1000, topic)
        return Decision([letter], {(f"{counted}_read",): 1, (f"{counted}_dead", "poison"): 1})
