"""The README lists every setting as the code has it: name, default, meaning."""

import re
from pathlib import Path

from streams.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def table() -> str:
    """The settings as a table."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else "" if field.default is None else str(field.default)
        lines.append(f"| `KAIROS_{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |")
    return "\n".join(lines)


def test_the_readme_lists_every_setting() -> None:
    found = re.search(r"<!-- settings:.*?-->\n(.*?)\n<!-- /settings -->", README.read_text(), re.DOTALL)

    assert found is not None
    assert found.group(1) == table()
