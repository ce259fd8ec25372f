"""Replay: history once more, into a shadow of its own, to see what other rules, another policy or mended records would have said.

The rule this package owns: nothing that is live is deleted, and nothing that is live is written but by promote.py, which is told to.
"""
