"""The HTTP door: what Segment's clients send becomes interactions on Kafka; 200 is said when Kafka has them."""
