"""`kairos collector`: the HTTP door."""

from __future__ import annotations

import re
import sys

import click

from streams.cli import options


def _without_slash(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"https?://[^/\s]+/?", url):
        raise click.BadParameter("a scheme and a host, no path: https://collect.brand.co")
    return url and url.rstrip("/")


@click.command(
    epilog="\b\nExamples:\n  kairos keys create web\n  kairos collector --broker 127.0.0.1:9092 --port 8383\n"
    '  curl -u wk_...: -d \'{"batch": [{"type": "identify", "userId": "ann"}]}\' http://127.0.0.1:8383/v1/batch',
)
@options.broker
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is everywhere: put TLS in front of it.")
@click.option("--port", type=click.IntRange(0, 65535), default=8383, show_default=True, help="0 takes a free one.")
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="A page's origin that may send from a browser; * (all) unless told."
)
@click.option(
    "--public-url",
    metavar="URL",
    callback=_without_slash,
    help="Where browsers reach it, if TLS or a proxy stands in front of it; the settings of a page say so.",
)
@click.option("--json", "as_json", is_flag=True, help="Say where it listens as a line of JSON.")
@options.outside
def command(broker: str, host: str, port: int, origins: tuple[str, ...], public_url: str | None, as_json: bool) -> None:
    """Take interactions over HTTP, as Segment's clients send them, and put them onto Kafka.

    200 is said when Kafka has them all; 429 when too much waits or a key sends too fast. What is no interaction goes to the dead letters. Needs a write key:
    kairos keys create SOURCE. GET /openapi.json says all paths.
    """
    import orjson

    from connectors.collector import keys, server
    from connectors.collector.config import Config
    from schemas import topics
    from streams.broker import admin
    from streams.cli import session

    def tell(at_host: str, at_port: int) -> None:
        url = f"http://{at_host}:{at_port}"
        said = {"url": url, "broker": kafka.bootstrap, "topic": topics.INTERACTIONS, "keys": len(keys.load(path))}
        click.echo(orjson.dumps(said).decode() if as_json else f"ready: {url} takes interactions for {said['topic']} on {kafka.bootstrap}")

    found = options.settings()
    path = keys.file_of(found.data_dir)
    try:
        door = keys.Door(path)
    except keys.Damaged as damaged:
        raise options.Failure(str(damaged)) from None
    with session.connected(found, broker, tell=lambda words: click.echo(words, err=True)) as kafka:
        if (topics.INTERACTIONS, 0) not in admin.end_offsets(kafka.bootstrap, topics.BY_NAME):
            raise options.Failure(
                f"There is no topic {topics.INTERACTIONS} on {kafka.bootstrap}: kairos topics create --broker {kafka.bootstrap}"
            )
        if not keys.load(path):
            click.echo("no write key yet: nobody is let in. Make one with: kairos keys create SOURCE", err=True)
        config = Config(bootstrap=kafka.bootstrap, topic=topics.INTERACTIONS, origins=origins or ("*",), public_url=public_url)
        if not server.serve(config, door, host, port, tell):
            sys.exit(1)
