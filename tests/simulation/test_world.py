"""A world comes to rest as Kairos does: what has to wait there gets its time, and what is said of a batch that was done again is known to be doubtful."""

from schemas import topics
from tests.simulation import said
from tests.simulation.faults import Fault, Faults
from tests.simulation.history import START, Scenario, Seen, Settings
from tests.simulation.laws import all_is_swept
from tests.simulation.rest import Rest
from tests.simulation.run import bounded
from tests.simulation.world import World

OLD, NEW = "A", "B"
OUTPUTS = 1
"""The durability step in which a batch without transactions speaks."""
SEEN = tuple([Seen(f"m{number}", START, "Order Completed", 10, (("email", f"person{number}@shop.co.uk"),)) for number in range(3)])


def test_a_run_outlasts_the_wait_of_a_policy_that_an_old_worker_came_after() -> None:
    scenario = Scenario(1, Settings(switch="small crowds"), SEEN)
    with bounded(scenario.settings):
        world = World(scenario)
        world.switch(1)
        for worker, one in zip((NEW, OLD), SEEN, strict=False):
            world._begin((topics.IDENTITY, 0), worker, None)
            world.feed(one)
            world.rest()
        world.live(SEEN[2:])

    assert not list(all_is_swept(Rest(scenario, world)))


class OneStandsStill(Faults):
    """The first batch of customers has spoken when its worker stands still, for longer than anything else takes."""

    def __init__(self, world: World) -> None:
        super().__init__(world.scenario.seed, 0.0)
        self._world = world

    def at(self, batch: int) -> Fault | None:
        begins = self._world.lives[topics.IDENTITY, 0].position == 0 and self._world.inputs[topics.IDENTITY, 0]
        if not begins or self.happened:
            return None
        self.happened.append(batch)
        return Fault("zombie", OUTPUTS, 1.0, False, 10_000, False, "")


def test_what_is_done_again_while_the_first_still_stands_is_as_doubtful_as_after_it() -> None:
    world = World(Scenario(1, Settings(guarantee="at_least_once"), SEEN))
    world.faults = OneStandsStill(world)
    world.live(SEEN[:1])

    assert world.happened["zombie refused"] == 1
    assert said.subjects(world.repeated) == said.subjects(world.unfinished) != set()
