"""Sentences with values in them: `because` and `reason`. In braces stands an expression of the author's file, with a format or not.

The rule this module owns: each value is found once and said twice, in the sentence for a person and, whatever its format, as what it is for a machine.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from string import Formatter
from typing import NamedTuple

from schemas import money
from schemas.moment import MoneyAmount, Value
from streams.language.compile import Builder, Facts, Measure
from streams.language.events import Field
from streams.language.numbers import Number

Values = dict[str, Value]
Said = tuple[str, Values]
"""The sentence, and each value in it by the words in its braces."""
Sentence = Callable[[Facts, float | None], Said]

_CENTS = Decimal("0.01")
_DECIMALS = 6
"""So many decimals of a number that is no whole one are told to a machine."""
_ROUND = Context(prec=120, rounding=ROUND_HALF_EVEN)
SIGNIFICANCE = "significance"


class _Blank(NamedTuple):
    """A place in a sentence: the words in its braces, its format, and how its value is found and written."""

    words: str
    form: str
    say: Callable[[Facts, float | None, str], tuple[str, Value]]


def blanks(template: str) -> list[str]:
    """The words in each pair of braces, in order; ValueError where braces do not match, or a format is none for numbers."""
    found = [(name, form) for _, name, form, _ in Formatter().parse(template) if name is not None]
    for _, form in found:
        format(_CENTS, form or "")
    return [name for name, _ in found]


def resolve(words: str, names: Mapping[str, object]) -> Number:
    """The number that the words in braces name; NameError, SyntaxError or TypeError where they name none."""
    found = eval(words, dict(names))  # The author's own words, in the author's own file, read once when the rules are loaded.
    if not isinstance(found, Number):
        raise TypeError(f"{{{words}}} is no number of the language")
    return found


def sentence(template: str, names: Mapping[str, object], builder: Builder) -> Sentence:
    """Compile a sentence."""
    pieces: list[tuple[str, _Blank | None]] = []
    for literal, words, form, _ in Formatter().parse(template):
        pieces.append((literal, None if words is None else _blank(words, form or "", names, builder)))

    def say(facts: Facts, significance: float | None) -> Said:
        values: Values = {}
        said = []
        for literal, blank in pieces:
            said.append(literal)
            if blank is not None:
                text, values[blank.words] = blank.say(facts, significance, blank.form)
                said.append(text)
        return "".join(said), values

    return say


def _blank(words: str, form: str, names: Mapping[str, object], builder: Builder) -> _Blank:
    if words == SIGNIFICANCE:
        return _Blank(words, form, lambda facts, significance, form: (format(significance or 0.0, form or "g"), significance))
    number = resolve(words, names)
    if isinstance(number, Field) and not number.is_money:
        value = number.value()
        return _Blank(words, form, lambda facts, _, form: _plain(value(facts)))
    return _Blank(words, form, _number(number, number.compile(builder)))


def _plain(value: object) -> tuple[str, Value]:
    """A field as it was sent."""
    if value is None:
        return "?", None
    if isinstance(value, Decimal):
        return money.text(value), _machine(value)
    return str(value), value if isinstance(value, str | bool | int | float) else str(value)


def _machine(exact: Decimal) -> int | float:
    """A number as JSON has it."""
    whole = exact.to_integral_value()
    return int(whole) if exact == whole else round(float(exact), _DECIMALS)


def _number(number: Number, measure: Measure) -> Callable[[Facts, float | None, str], tuple[str, Value]]:
    own = number.own_currency()

    def say(facts: Facts, significance: float | None, form: str) -> tuple[str, Value]:
        found = measure(facts)
        if found is None:
            return "?", None
        exact = Decimal(found[0]) if found[1] == 1 else _ROUND.divide(found[0], found[1])
        cents = exact.quantize(_CENTS, context=_ROUND)
        if number.is_money:
            currency = (facts.currency() if own is None else own) or None
            value: Value = MoneyAmount(money.text(exact if found[1] == 1 else cents), currency)
            return format(exact, form) if form else f"{cents} {currency or ''}".rstrip(), value
        text = format(exact, form) if form else money.text(exact if exact == exact.to_integral_value() else cents)
        return text, _machine(exact)

    return say
