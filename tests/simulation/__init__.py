"""The adversary: Kairos's own handlers over a Kafka, workers and stores that do the worst that the guarantees allow, one seed at a time."""
