"""Events, and the fields of an interaction. The rule this module owns: a rule looks at an interaction only through these."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from schemas import money
from streams.language.compile import Builder, Facts, Holds, Measure, Ratio
from streams.language.expressions import Condition, Expression, Might, Tree
from streams.language.numbers import Number


class Event(Condition):
    """An interaction with this event's name, narrowed further or not. `order.revenue` is a number of it, `order.before` those before the present one."""

    occurs = True

    def __init__(self, name: str, narrowed: Condition | None = None, earlier: bool = False) -> None:
        super().__init__()
        self.event_name = name
        self.narrowed = narrowed
        self.earlier = earlier

    def where(self, condition: Condition) -> "Event":
        """Only those for which a condition on their own fields holds."""
        return Event(self.event_name, condition if self.narrowed is None else self.narrowed & condition)

    @property
    def before(self) -> "Event":
        """Those before the interaction at hand."""
        return Event(self.event_name, self.narrowed, earlier=True)

    def __getattr__(self, name: str) -> "Field":
        if name.startswith("_"):
            raise AttributeError(name)
        return Field(self, name)

    def field(self, name: str) -> "Field":
        """A property whose name is no Python name, or is taken."""
        return Field(self, name)

    def pattern(self) -> "Event":
        """The event itself, whether before or at the present interaction."""
        return Event(self.event_name, self.narrowed) if self.earlier else self

    def tree(self) -> Tree:
        pattern: Tree = ["event", self.event_name] if self.narrowed is None else ["event", self.event_name, self.narrowed.tree()]
        return ["before", pattern] if self.earlier else pattern

    def parts(self) -> Sequence[Expression]:
        return () if self.narrowed is None else (self.narrowed,)

    def words(self) -> str:
        narrowed = "" if self.narrowed is None else f" where {self.narrowed.words()}"
        return f"{'earlier ' if self.earlier else ''}{self.event_name}{narrowed}"

    def compile(self, builder: Builder) -> Holds:
        name = self.event_name
        if self.narrowed is None:
            return lambda facts: facts.event == name
        narrowed = self.narrowed.compile(builder)
        return lambda facts: facts.event == name and narrowed(facts)

    def might(self, name: str) -> Might:
        return name == self.event_name, name != self.event_name or self.narrowed is not None


class AnyInteraction(Condition):
    """Any interaction at all."""

    occurs = True

    def tree(self) -> Tree:
        return ["any"]

    def words(self) -> str:
        return "any interaction"

    def compile(self, builder: Builder) -> Holds:
        return lambda facts: facts.touch is not None

    def might(self, name: str) -> Might:
        return True, False


ENVELOPE = (
    "channel",
    "touchpoint",
    "topic",
    "direction",
    "department",
    "duration_seconds",
    "case_id",
    "language",
    "party",
    "owner",
    "source",
)
"""The fields that an interaction has beside its properties."""
MONEY = ("revenue",)
"""The fields that are amounts of money, each in its interaction's currency."""


class Field(Number):
    """A field of an interaction: of its envelope where that has one so named, else a property; a number or a text, as it is asked."""

    def __init__(self, event: Event, name: str, only_currency: str | None = None) -> None:
        super().__init__()
        self.event, self.name, self.only_currency = event, name, only_currency
        self.is_money = name in MONEY

    def in_currency(self, code: str) -> "Field":
        """Only amounts in this currency."""
        return Field(self.event, self.name, code.upper())

    def own_currency(self) -> str | None:
        return self.only_currency

    def is_(self, text: str) -> Condition:
        """Whether it is this text."""
        return TextIs(self, (text,))

    def one_of(self, *texts: str) -> Condition:
        """Whether it is one of these texts."""
        return TextIs(self, texts)

    def tree(self) -> Tree:
        return ["field", self.event.tree(), self.name, *([] if self.only_currency is None else [self.only_currency])]

    def parts(self) -> Sequence[Expression]:
        return (self.event,)

    def words(self) -> str:
        return self.name if self.only_currency is None else f"{self.name} in {self.only_currency}"

    def value(self) -> Callable[[Facts], object]:
        """A closure that gives the value as it was sent."""
        name = self.name
        if name in ENVELOPE:
            return lambda facts: getattr(facts.touch, name, None)
        return lambda facts: facts.properties().get(name)

    def amount(self) -> Callable[[Facts], Decimal | None]:
        """A closure that gives the number, exact; None where it is none, or in another currency."""
        only = self.only_currency
        if self.is_money:
            if only is None:
                return Facts.revenue
            return lambda facts: facts.revenue() if facts.touch is not None and facts.currency() == only else None
        value = self.value()

        def amount(facts: Facts) -> Decimal | None:
            said = value(facts)
            return money.parse(str(said) if isinstance(said, float) else said)

        return amount

    def compile(self, builder: Builder) -> Measure:
        amount = self.amount()

        def measure(facts: Facts) -> Ratio | None:
            said = amount(facts)
            return None if said is None else (said, 1)

        return measure

    def plain(self, builder: Builder) -> Callable[[Facts], Decimal | None]:
        return self.amount()


class TextIs(Condition):
    """A field that is one of some texts."""

    def __init__(self, field: Field, texts: tuple[str, ...]) -> None:
        super().__init__()
        self.field, self.texts = field, texts

    def tree(self) -> Tree:
        return ["is", self.field.tree(), *sorted(self.texts)]

    def parts(self) -> Sequence[Expression]:
        return (self.field,)

    def words(self) -> str:
        return f"{self.field.words()} is {' or '.join(self.texts)}"

    def compile(self, builder: Builder) -> Holds:
        value, texts = self.field.value(), frozenset(self.texts)

        def holds(facts: Facts) -> bool:
            said = value(facts)
            return isinstance(said, str) and said in texts

        return holds
