"""Sentences with values in them: `because` and `reason`. In braces stands an expression of the author's file, with a format or not."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from string import Formatter
from typing import NamedTuple

from schemas import money
from streams.language.compile import Builder, Facts, Measure
from streams.language.events import Field
from streams.language.numbers import Number

Values = dict[str, str | int | None]
Said = tuple[str, Values]
"""The sentence, and each value in it by the words in its braces."""
Sentence = Callable[[Facts, float | None], Said]

_CENTS = Decimal("0.01")
_ROUND = Context(prec=120, rounding=ROUND_HALF_EVEN)
SIGNIFICANCE = "significance"


class _Blank(NamedTuple):
    """A place in a sentence: the words in its braces, its format, and how its value is found."""

    words: str
    form: str
    value: Callable[[Facts, float | None, str], str]


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
                values[blank.words] = text = blank.value(facts, significance, blank.form)
                said.append(text)
        return "".join(said), values

    return say


def _blank(words: str, form: str, names: Mapping[str, object], builder: Builder) -> _Blank:
    if words == SIGNIFICANCE:
        return _Blank(words, form, lambda facts, significance, form: format(significance or 0.0, form or "g"))
    number = resolve(words, names)
    if isinstance(number, Field) and not number.is_money:
        value = number.value()
        return _Blank(words, form, lambda facts, _, form: _plain(value(facts)))
    return _Blank(words, form, _number(number, number.compile(builder)))


def _plain(value: object) -> str:
    return money.text(value) if isinstance(value, Decimal) else "?" if value is None else str(value)


def _number(number: Number, measure: Measure) -> Callable[[Facts, float | None, str], str]:
    own = number.own_currency()

    def text(facts: Facts, significance: float | None, form: str) -> str:
        found = measure(facts)
        if found is None:
            return "?"
        exact = Decimal(found[0]) if found[1] == 1 else _ROUND.divide(found[0], found[1])
        if form:
            return format(exact, form)
        if not number.is_money:
            return money.text(exact.quantize(_CENTS, context=_ROUND)) if exact != exact.to_integral_value() else money.text(exact)
        currency = facts.currency() if own is None else own
        return f"{exact.quantize(_CENTS, context=_ROUND)} {currency}".rstrip()

    return text
