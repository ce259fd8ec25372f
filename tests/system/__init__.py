"""A live Kairos with the programs of others beside it: Prometheus, browsers."""
