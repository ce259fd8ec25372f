"""A Kafka to talk to: embedded, a mock, Docker or one that is already there. Imports nothing of Kairos."""
