"""Clients of other makers and in other languages, as they are, and what is needed to run them."""
