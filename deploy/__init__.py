"""What runs Kairos for an operator: Kafka's topics, Prometheus, Grafana, containers. What the code knows is made from it: `python -m deploy`."""
