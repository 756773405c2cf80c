"""What `demo --keep` tells at the end: how to play with both systems while they are up."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from go_sandbox.demo.meltano import EXTRACT_AND_LOAD, WAY_BACK

if TYPE_CHECKING:
    from go_sandbox.demo.meltano import Meltano
    from go_sandbox.server import Sandbox


def how_to_play(box: Sandbox, meltano: Meltano) -> list[str]:
    """Return lines to be pasted into a second shell, in the project's folder."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in meltano.variables.items()]
    admin = box.admin_url
    return [
        "",
        "# Both systems stay up until Ctrl-C. In another shell, in this folder:",
        *exports,
        "",
        "# Edit a customer and a product in the shop, as its owner would:",
        _edit(f"{admin}/shop/customers/1001", '{"phone": "41234567"}'),
        _edit(f"{admin}/shop/products/2001", '{"name": "Genser Fjord"}'),
        "# Edit Go as a bookkeeper would (take an Id from the list):",
        f"curl -s {admin}/go/Customers",
        _edit(f"{admin}/go/Customers/ID", '{"PhoneNumber": "+4791234567"}'),
        "# For ten minutes after the fourth run Go's stamps are up to ten minutes ahead:",
        "# where both sides edit the same property, Go's edit counts as the later one.",
        "# Sync again, both ways:",
        f"uv run meltano {' '.join((*EXTRACT_AND_LOAD, *WAY_BACK))}",
        "# What went over the wire to Go:",
        f"curl -s '{admin}/requests?system=go&method=PATCH'",
    ]


def _edit(url: str, body: str) -> str:
    return f"curl -s -X PATCH {url} -d '{body}'"
