"""Takes those who were erased out of the topics that keep records for a time, at once.

The order is all that makes it safe: nothing is deleted before it was copied, nothing is copied before its readers have it behind them, and whatever
dies in between leaves a partition that the next run finishes.
"""
