"""Reads a shop through its preset, and finds its orders in Go; for the tests of presets."""

from __future__ import annotations

from typing import Any

from tap_customwebshop.shop.reading import SingleRecords, configured_file
from tap_customwebshop.tap import TapCustomWebShop

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}


class PresetReader:
    """Reads a shop with the tap, in runs that each begin where the previous one ended.

    Args:
        preset: the preset's name.
        served: the running shop.
        keys: the names of the shop's attributes that hold the credentials.
        settings: further `shop_settings`.
        read_shop: runs the tap.
    """

    def __init__(
        self,
        preset: str,
        served: Any,
        keys: tuple[str, ...],
        settings: dict[str, str],
        read_shop: Any,
    ) -> None:
        self.served = served
        self.settings = settings
        self.state = None
        self.log = ""
        self._preset = preset
        self._keys = keys
        self._read_shop = read_shop

    @property
    def config(self) -> dict[str, Any]:
        """The config of the tap."""
        keys = {name: getattr(self.served.shop, name) for name in self._keys}
        return {
            "api_url": self.served.url,
            "shop": self._preset,
            "shop_settings": {**keys, **self.settings},
            "lookback_seconds": 0,
        }

    def messages(self) -> list[dict[str, Any]]:
        """Return the RECORD messages of a run."""
        read = self._read_shop(self.config, state=self.state)
        self.state, self.log = read.states()[-1], read.log
        return read.record_messages()

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Read everything again, and return the records of a stream."""
        self.state = None
        return [message["record"] for message in self.messages() if message["stream"] == stream]

    def only(self, stream: str) -> dict[str, Any]:
        """Return the only record of a stream."""
        (record,) = self.records(stream)
        return record

    def changed(self) -> list[tuple[str, str]]:
        """Return the stream and id of each record that the next run reads."""
        return [(message["stream"], message["record"]["id"]) for message in self.messages()]

    @property
    def singles(self) -> SingleRecords:
        """Reads and changes single records through the preset."""
        connect = TapCustomWebShop(config=self.config).connect
        return SingleRecords(configured_file(self.config), self.config, connect)

    def change(self, entity: str, record_id: object, patch: dict[str, Any]) -> bool:
        """Send an edit as the preset makes it, and return whether anything was sent."""
        singles = self.singles
        calls = singles.calls(entity, str(record_id), patch)
        for call in calls:
            singles.client.send(*call)
        return bool(calls)


def in_go(ledger: Any, order_id: object) -> dict[str, Any]:
    """Return an order as it is in Go, with the VAT of its lines."""
    orders = ledger.box.go.entries("SalesOrders")
    (order,) = [
        order for order in orders if str(order["ExternalImportReference"]).endswith(f":{order_id}")
    ]
    vat = sum(line["TotalAmount"] - line["NetAmount"] for line in order["SalesOrderLines"])
    return {**order, "VatAmount": vat}
