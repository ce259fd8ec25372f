"""Kairos itself: from an interaction to a customer's state, its stages and moments. Imports go down only; .importlinter names the floors."""
