"""The console script `sandbox`: starts everything and prints how to use it."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from go_sandbox.seed.store import seed_store
from go_sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

GO_REQUESTS_PER_SECOND = 10
_SWITCHES = (
    *("rate_limit", "price_decimals", "vat_rounding", "read_lag_seconds"),
    "allow_send_invoice",
)
SALES_ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
ROUNDING_PRODUCT_CODE = "AVRUND"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox until Ctrl-C; return 0, or 1 if it could not start."""
    options = _parser().parse_args(arguments)
    stopped = ctrl_c()
    try:
        box = Sandbox.start(
            state_file=options.state,
            go_port=options.go_port,
            shop_port=options.shop_port,
            admin_port=options.admin_port,
        )
    except OSError as error:
        Console(stderr=True).print(f"The sandbox did not start: {error}", markup=False)
        return 1
    with box:
        _set_up(box, options)
        for line in welcome(box):
            Console().print(line, markup=False, highlight=False, soft_wrap=True)
        stopped.wait()
    return 0


def ctrl_c() -> threading.Event:
    """Return an event that is set at Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: stopped.set())
    return stopped


def environment(box: Sandbox) -> dict[str, str]:
    """Return the environment variables that point all plugins at this sandbox."""
    target = box.target_config()
    connection = (
        "environment",
        "api_url",
        "token_url",
        "application_key",
        "client_key",
        "subscription_key",
    )
    return {
        "TAP_CUSTOMWEBSHOP_API_URL": box.shop_api_url,
        "TAP_CUSTOMWEBSHOP_AUTH_TOKEN": box.shop_token,
        **{f"TAP_POWEROFFICEGO_{name.upper()}": str(target[name]) for name in connection},
        **{f"TARGET_POWEROFFICEGO_{name.upper()}": str(target[name]) for name in connection},
        "TARGET_POWEROFFICEGO_SHOP_NAME": str(target["shop_name"]),
        "TARGET_CUSTOMWEBSHOP_API_URL": box.shop_api_url,
        "TARGET_CUSTOMWEBSHOP_AUTH_TOKEN": box.shop_token,
        "TARGET_CUSTOMWEBSHOP_SHOP_NAME": str(target["shop_name"]),
        "TARGET_POWEROFFICEGO_SALES_ACCOUNTS": json.dumps(SALES_ACCOUNTS),
        "TARGET_POWEROFFICEGO_ROUNDING_PRODUCT_CODE": ROUNDING_PRODUCT_CODE,
    }


def welcome(box: Sandbox) -> list[str]:
    """Return lines with all addresses, ready to be pasted into a shell."""
    bearer = f"-H 'Authorization: Bearer {box.shop_token}'"
    return [
        "# A local PowerOffice Go and a local shop. The keys are fake. Ctrl-C stops.",
        *(f"export {name}={shlex.quote(value)}" for name, value in environment(box).items()),
        "",
        "# The shop's customers, as the tap reads them:",
        f"curl -s {bearer} '{box.shop_api_url}/customers?limit=2'",
        "# What PowerOffice Go holds:",
        f"curl -s {box.admin_url}/go/Customers",
        "# How many requests either system got:",
        f"curl -s '{box.admin_url}/requests?system=go'",
    ]


def _set_up(box: Sandbox, options: argparse.Namespace) -> None:
    for name in _SWITCHES:
        setattr(box.go.switches, name, getattr(options, name))
    if options.seed or options.with_mistakes:
        seed_store(box.shop, with_mistakes=options.with_mistakes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    add = parser.add_argument
    add("--state", type=Path, metavar="FILE", help="keep the state in this SQLite file")
    add("--go-port", type=int, default=0, metavar="N", help="port of PowerOffice Go")
    add("--shop-port", type=int, default=0, metavar="N", help="port of the shop")
    add("--admin-port", type=int, default=0, metavar="N", help="port of the admin surface")
    add("--seed", action="store_true", help="fill the shop with a Norwegian store")
    add("--with-mistakes", action="store_true", help="seed a few records with mistakes as well")
    add(
        "--rate-limit",
        type=int,
        nargs="?",
        const=GO_REQUESTS_PER_SECOND,
        metavar="N",
        help="let Go answer 429 above N requests in any one second (10 when N is left out)",
    )
    add("--price-decimals", type=int, choices=(2, 4), help="decimals of a price that Go keeps")
    add("--vat-rounding", choices=("line", "rate"), default="line", help="how Go rounds VAT")
    add(
        "--read-lag",
        dest="read_lag_seconds",
        type=float,
        default=0,
        metavar="SECONDS",
        help="let Go show its state as it was so long ago",
    )
    add("--allow-send-invoice", action="store_true", help="let the API send invoices")
    return parser
