"""`python -m streams.cli` is `kairos`."""

from streams.cli import main

main(prog_name="kairos")
