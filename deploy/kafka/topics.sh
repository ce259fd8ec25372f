#!/bin/sh
# Creates the topics of Kairos where they are missing, and gives those that exist the settings below.
# Made by `python -m schemas.export` from schemas/topics.py; change it there.
# BOOTSTRAP: where a broker listens; PARTITIONS, REPLICATION: of each topic; KAFKA_BIN: where Kafka's scripts lie.
set -eu
BOOTSTRAP="${BOOTSTRAP:-localhost:9092}"
PARTITIONS="${PARTITIONS:-4}"
REPLICATION="${REPLICATION:-1}"
KAFKA_BIN="${KAFKA_BIN:-/opt/kafka/bin}"

topic() { # name, partitions, settings
    name="$1"
    partitions="$2"
    shift 2
    creation=""
    change=""
    for setting in "$@"; do
        creation="$creation --config $setting"
        change="$change${change:+,}$setting"
    done
    # The settings hold neither spaces nor commas, so that they may be split.
    # shellcheck disable=SC2086
    "$KAFKA_BIN/kafka-topics.sh" --bootstrap-server "$BOOTSTRAP" --create --if-not-exists --topic "$name" \
        --partitions "$partitions" --replication-factor "$REPLICATION" $creation
    "$KAFKA_BIN/kafka-configs.sh" --bootstrap-server "$BOOTSTRAP" --alter --entity-type topics --entity-name "$name" --add-config "$change"
}

topic journey.interactions.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=604800000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.commands.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=604800000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.interactions.dead.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=2592000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.identity.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=604800000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.profiles.v1 "$PARTITIONS" cleanup.policy=compact max.compaction.lag.ms=604800000 retention.ms=-1 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.stages.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=2592000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.segments.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=2592000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.moments.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=2592000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.identity.changes.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=31536000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.identity.conflicts.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=7776000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.deliveries.dead.v1 "$PARTITIONS" cleanup.policy=delete segment.ms=86400000 retention.ms=2592000000 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
topic journey.endpoints.v1 "$PARTITIONS" cleanup.policy=compact max.compaction.lag.ms=604800000 retention.ms=-1 max.message.bytes=4194304 message.timestamp.type=LogAppendTime
