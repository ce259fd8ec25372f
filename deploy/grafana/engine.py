"""*Engine*: batches, commits, stores, recovery, and what they take of the machine."""

from deploy.grafana.shapes import Board, Line, Panel, Row, age, greatest, quantiles, rate, total

ASKED, READ = "kairos_engine_rows_asked_total", "kairos_engine_rows_read_total"

BOARD = Board(
    "engine",
    "Kairos: Engine",
    "Batches and where their time goes, commits, partitions and their recovery, stores and caches, the process.",
    (
        Row(
            "Batches",
            (
                Panel(
                    "Records",
                    "cps",
                    "Records whose batch was committed, a second.",
                    (Line(rate("kairos_engine_records_total", "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Batch size",
                    "short",
                    "Records of a batch, those without records left out.",
                    quantiles("kairos_engine_batch_records", "topic", shares=(0.5, 0.99)),
                ),
                Panel(
                    "Batch time",
                    "s",
                    "From taking a batch to its end.",
                    quantiles("kairos_engine_batch_seconds", "topic", shares=(0.5, 0.99)),
                ),
            ),
        ),
        Row(
            "Where the time goes",
            (
                Panel(
                    "Time by step",
                    "short",
                    "Seconds of batches in each step, a second: several partitions together may have more than one. Wait: read, but the partition was busy.",
                    (Line(rate("kairos_engine_phase_seconds_total", "phase"), "{{phase}}"),),
                    "stacked",
                ),
                Panel(
                    "Age of the last commit",
                    "s",
                    "Since when a partition with lag has committed nothing; without lag it is 0.",
                    (
                        Line(
                            greatest(
                                f"({age('kairos_engine_commit_timestamp_seconds')}) * (kairos_engine_lag_records > bool 0)",
                                "topic",
                            ),
                            "{{topic}}",
                        ),
                    ),
                    limit=30,
                ),
                Panel(
                    "Event-loop lag",
                    "s",
                    "How much later than asked for the event loop comes back; what holds it up holds up all partitions of a worker.",
                    quantiles("kairos_engine_loop_lag_seconds"),
                    limit=0.5,
                ),
            ),
        ),
        Row(
            "Partitions",
            (
                Panel(
                    "Partitions by state",
                    "none",
                    "How many partitions are fenced, restored, positioned, or run.",
                    (Line(total("kairos_engine_state", "state"), "{{state}}"),),
                    "stacked",
                ),
                Panel(
                    "Recovery",
                    "short",
                    "Offsets of changelogs that are still to be replayed, by topic.",
                    (Line(total("kairos_engine_restore_remaining", "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Recovery: time to go, rows a second",
                    "short",
                    "Seconds that restoring will still take at the pace of late, and rows that are replayed a second.",
                    (
                        Line(greatest("kairos_engine_restore_seconds_left"), "seconds to go"),
                        Line(rate("kairos_engine_restored_rows_total"), "rows a second"),
                    ),
                ),
                Panel(
                    "Poisoned",
                    "cps",
                    "Records a second that could not be processed, alone and every time.",
                    (Line(rate("kairos_engine_poisoned_total", "topic"), "{{topic}}"),),
                ),
            ),
        ),
        Row(
            "Stores",
            (
                Panel(
                    "Cache hits",
                    "percentunit",
                    "Of the rows that batches asked for, those that the cache of live values knew.",
                    (Line(f"1 - {rate(READ)} / {rate(ASKED)}", "hits"),),
                    most=1,
                ),
                Panel(
                    "RocksDB",
                    "bytes",
                    "Files, memtables, indexes in memory, and what waits to be merged; all partitions of all workers.",
                    (
                        Line(total("kairos_engine_store_bytes", "part"), "{{part}}"),
                        Line(total("kairos_engine_block_cache_bytes"), "block cache"),
                    ),
                ),
                Panel(
                    "Rows", "short", "Rows in all stores, as RocksDB estimates them.", (Line(total("kairos_engine_store_rows"), "rows"),)
                ),
                Panel(
                    "Stores that stall",
                    "none",
                    "Stores that take no writes until files are merged.",
                    (Line(total("kairos_engine_store_stalled"), "stalled"),),
                    limit=1,
                ),
            ),
        ),
        Row(
            "The process",
            (
                Panel(
                    "CPU",
                    "short",
                    "Cores that each process uses.",
                    (Line('sum by (job, instance) (rate(process_cpu_seconds_total{job=~"kairos.*"}[$__rate_interval]))', "{{instance}}"),),
                ),
                Panel(
                    "Memory",
                    "bytes",
                    "Resident memory of each process.",
                    (Line('sum by (job, instance) (process_resident_memory_bytes{job=~"kairos.*"})', "{{instance}}"),),
                ),
                Panel(
                    "Reading",
                    "short",
                    "Seconds that unpacking fetched records takes, a second.",
                    (Line(rate("kairos_engine_read_seconds_total"), "reading"),),
                ),
            ),
        ),
    ),
)
