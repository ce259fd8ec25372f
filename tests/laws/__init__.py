"""Laws: what must hold for every history, in every order, on every number of partitions."""
