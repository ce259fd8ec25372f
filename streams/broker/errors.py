"""The one exception of this package; its text tells a newcomer what to do."""


class BrokerUnavailable(Exception):
    """No Kafka can be had this way: the text says why, and what to try instead."""
