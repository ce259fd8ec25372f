"""The rules that the customers of a simulation are judged by."""

from streams.journeys import retail
from streams.language import rulebook

RULES = rulebook(retail)
