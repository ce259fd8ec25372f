"""Dead letters that a replay has mended, put back onto the live topic: taken in once, as if they had never been broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from connectors.jsonl.source import READER
from schemas import topics
from streams import instants
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.replay import archive, promote, run
from tests.pipeline import replays
from tests.pipeline.harness import Pipeline
from tests.pipeline.replays import MAPPING, Live, environment
from tests.pipeline.sources import Source
from tests.replay import heads
from tests.replay.heads import UNTIL

PARTITIONS = 2
INVOICES = 60


@pytest.mark.faults
def test_what_is_put_back_gives_live_what_was_never_broken_and_once(broker: EmbeddedBroker, tmp_path: Path) -> None:
    whole = heads.interactions(heads.head(tmp_path / "head.csv.gz", INVOICES))
    (tmp_path / "broken.jsonl").write_bytes(b"\n".join(replays.broken(whole)))
    (tmp_path / "mapping.toml").write_text(MAPPING)
    source = Source(tmp_path / "broken.jsonl", READER, ("retail",), instants.parse(UNTIL))
    applied, digest = replays.never_broken(whole, ("retail",), UNTIL)
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, source.journeys) as pipeline:
        (worker,) = pipeline.start(1)
        pipeline.play(source)
        pipeline.await_settled([worker])
        live = Live(pipeline, tmp_path, whole, set(), environment(pipeline, tmp_path / "data", source.journeys, "replay"))
        live.replayed("mended", "--dead-letters", str(tmp_path / "mapping.toml"))
        assert pipeline.outcome().digest != digest
        refused = live.kairos("promote", "mended", *live.broker)
        assert (refused.returncode, "Put" in refused.stderr) == (1, True), "nobody has said yes"

        note = live.answer("promote", "mended", "--yes", "--actor", "ann", *live.broker)
        pipeline.await_settled([worker])
        ends = live.ends()
        _forget(live)
        again = live.kairos("promote", "mended", "--yes", *live.broker)

        assert (note["promoted"]["count"], note["promoted"]["by"]) == (len(whole[:: replays.BROKEN]), "ann")
        assert pipeline.outcome().digest == digest
        assert pipeline.outcome().facts.applied == applied == len(whole)
        assert (again.returncode, live.ends()) == (0, ends)

        _put_back_by_another(live)
        pipeline.await_settled([worker])
        assert pipeline.outcome().digest == digest
        assert admin.end_offsets(broker.bootstrap, [topics.INTERACTIONS]) != {
            place: ends[place] for place in ends if place[0] == topics.INTERACTIONS
        }
        assert live.kairos("clean", "mended", "--yes", *live.broker).returncode == 0
        worker.stop()


def _forget(live: Live) -> None:
    """As if who has put them back had been killed before it was noted."""
    data = Path(live.environment["KAIROS_DATA_DIR"])
    archive.save(data, structs.replace(archive.load(data, "mended"), promoted=None))


def _put_back_by_another(live: Live) -> None:
    """As another replay of the same letters would."""
    of = archive.load(Path(live.environment["KAIROS_DATA_DIR"]), "mended").plan
    chosen = promote.choose(of, run.mended(live.pipeline.bootstrap, of), {})
    assert promote.put_back(live.pipeline.bootstrap, structs.replace(of, name="another"), chosen.records)
    assert admin.delete_groups(live.pipeline.bootstrap, [structs.replace(of, name="another").own.promoter]) == []
