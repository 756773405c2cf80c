"""Reads the command line of `demo`, plays the acts and reports whether all promises were kept."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from go_sandbox.command import ctrl_c
from go_sandbox.demo.acts import Demo
from go_sandbox.demo.meltano import CannotRun, Meltano, how_to_play, project_folder
from go_sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

AS_PROMISED = 0
NOT_AS_PROMISED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; return 0 if everything was as promised, else 1."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, markup=False, emoji=False)
    try:
        return _play(console, options)
    except (CannotRun, OSError) as reason:
        console.print(f"\nThe demo stopped: {reason}", style="red")
        return NOT_AS_PROMISED
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return NOT_AS_PROMISED


def _play(console: Console, options: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, Sandbox.start() as box:
        meltano = Meltano(project_folder(), box, Path(folder), is_verbose=options.verbose)
        broken_promises = Demo(box, meltano, console).play(
            customers=options.customers, products=options.products, orders=options.orders
        )
        seconds = round(time.monotonic() - began)
        if broken_promises:
            console.print(f"\nNot as promised, after {seconds} s:", style="bold red")
            for promise in broken_promises:
                console.print(f"  {promise}")
        else:
            console.print(f"\nAll as promised, in {seconds} s.", style="bold green")
        if options.keep:
            for line in how_to_play(box, meltano):
                console.print(line, soft_wrap=True)
            ctrl_c().wait()
    return NOT_AS_PROMISED if broken_promises else AS_PROMISED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Fill a local shop, sync it to a local PowerOffice Go with Meltano, and show"
        " what came of it. Needs no keys; nothing leaves this machine.",
    )
    add = parser.add_argument
    add("--keep", action="store_true", help="keep both systems running and say how to use them")
    add("--verbose", action="store_true", help="show Meltano's log")
    add("--customers", type=int, default=60, metavar="N", help="customers in the shop (60)")
    add("--products", type=int, default=40, metavar="N", help="products in the shop (40)")
    add("--orders", type=int, default=150, metavar="N", help="orders in the shop (150)")
    return parser
