"""The command line: a file per noun, each of which parses, calls and prints.

The rule this package owns: a command's module is imported when it is used, so that `kairos --help` answers at once.
"""

from importlib import import_module

import click

COMMANDS = {
    "run": "Play a source through Kairos: broker, topics, workers, live view, summary.",
    "who": "One customer: profile, identifiers and why they belong, timeline.",
    "why": "Why two identifiers are one person, or what keeps them apart.",
    "identity": "Link identifiers or keep them apart, mark one as shared, forget or export a person; evaluate, diff of policies.",
    "tail": "The newest records of a topic, a line each.",
    "digest": "A hash over all customers' states.",
    "broker": "Start the embedded Kafka and keep it in the foreground.",
    "topics": "Create, describe or delete the topics of the contract.",
    "worker": "Start a worker: intake, identity and customers of its partitions.",
    "play": "Play a source onto a cluster whose workers are running.",
    "collector": "Take interactions over HTTP, as Segment's clients send them.",
    "keys": "Make, list and revoke the collector's write keys.",
    "deliver": "Deliver moments, stages, segments and profiles to HTTP endpoints, signed; replay, status, secrets.",
    "replay": "History once more, into a shadow: other rules, another policy, mended records; compare, and clean.",
    "simulate": "Write invented interactions of an omnichannel brand, and the truth beside them.",
    "schemas": "Export the contract as JSON Schema and AsyncAPI.",
}
"""Every command and its one line of help; `streams/cli/<name>.py` holds it as `command`."""

EPILOG = """\b
Examples:
  kairos run --source data/online-retail.csv.gz --reader online-retail --until 2011-12-10T00:00:00Z
  kairos who crm_id:17850
  kairos why email:ann@brand.co crm_id:17850
  kairos tail moments -n 20
\b
Settings come from KAIROS_... in the environment, or from kairos.toml (KAIROS_SETTINGS names another file)."""


class _Lazy(click.Group):
    """A group that knows its commands' names and imports one only to run it or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"streams.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Kairos: from every touchpoint interaction to one live customer state, stage changes and defining moments."""
