"""Who moves is counted once, whatever happens to them in one batch."""

from streams.customer import census
from streams.customer.customers import Customer
from streams.customer.state import FoldRow, Position, State
from streams.identity.settling import Change
from streams.journeys import retail
from streams.language import rulebook
from streams.rows import Person
from tests.laws.memory import Memory, View

ANN = Person(b"a" * 16, (b"a" * 16,), (b"a" * 16,))


def standing_at(stage: str) -> FoldRow:
    return FoldRow("rules", 1, 0, None, State(journeys={"retail": Position(stage, 0, "m")}), b"")


def test_who_ends_and_is_somebody_again_in_one_batch_has_left_once() -> None:
    rows = View(Memory(rulebook(retail), 1).rows[0], 0, 1)
    before, after = standing_at("loyal"), standing_at("prospect")
    again = Customer(ANN.canonical, ANN, before, after, [], [], True)
    change = Change(ANN.canonical, (ANN,), (ANN,), (), False, 0, None, ended=(ANN,))

    census.Moves({ANN.canonical: before}).settle(rows, [again], [], [change])

    counts = {name[2]: number for name, number in census.standing(rows).items() if name[0] == "kairos_customers"}
    assert counts == {"loyal": -1, "prospect": 1}
