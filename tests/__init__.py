"""The tests of Kairos; each folder mirrors the source that it tests."""
