"""Naive answers to the questions that Kairos answers fast; nothing in here imports Kairos."""
