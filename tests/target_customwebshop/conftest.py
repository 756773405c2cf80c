"""The tap of Go as what feeds the way back."""

import io
import json
from contextlib import redirect_stdout

import pytest
from tap_powerofficego.tap import TapPowerOfficeGo

STREAMS = ("customers", "products", "salesorders", "outgoing_invoices")


@pytest.fixture
def tap(both):
    """Reads Go by the tap itself, from a state on; returns its messages."""

    def read(state=None, *, without=()):
        config = both.box.target_config(requests_per_second=100)
        config.pop("shop_name")
        chosen = catalog(TapPowerOfficeGo(config=dict(config)).catalog_dict, without)
        tap = TapPowerOfficeGo(config=config, state=state or {}, catalog=chosen)
        output = io.StringIO()
        with redirect_stdout(output):
            tap.sync_all()
        return [json.loads(line) for line in output.getvalue().splitlines()]

    return read


def catalog(told, without):
    """Select what the way back needs, but for some members (`salesorders.SalesOrderLines`)."""
    for entry in told["streams"]:
        for one in entry["metadata"]:
            path = ".".join([entry["stream"], *one["breadcrumb"][1::2]])
            is_wanted = entry["stream"] in STREAMS and path not in without
            one["metadata"]["selected"] = is_wanted
    return told
