"""`pytest tests/stories --accept` rewrites what stories expect to what is said."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite what stories expect to what is said")
