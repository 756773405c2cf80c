"""Changes one record by a JSON merge patch (RFC 7396)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simplejson

from go_sandbox.shop.checks import mistakes
from go_sandbox.shop.contract import SET_BY_THE_SHOP, STREAMS
from go_sandbox.shop.problems import problem
from go_sandbox.shop.reshaping import reshaped
from go_sandbox.shop.shop import merged

if TYPE_CHECKING:
    from go_sandbox.shop.shelf import Record
    from go_sandbox.shop.shop import Shop

MEDIA_TYPES = ("application/merge-patch+json", "application/json")


def read_patch(stream: str, media_type: str, body: bytes) -> Record:
    """Read a merge patch.

    Raises:
        HTTPException: 415 for another media type, 400 for what is no JSON object, 422 for a
            field that the shop does not have or sets itself, or a value that its field cannot hold.
    """
    if media_type.partition(";")[0].strip().lower() not in MEDIA_TYPES:
        raise problem(415, f"Send {MEDIA_TYPES[0]}.")
    try:
        patch = simplejson.loads(body, use_decimal=True)
    except ValueError as error:
        raise problem(400, "The body is not JSON.") from error
    if not isinstance(patch, dict):
        raise problem(400, "A merge patch is a JSON object.")
    for name in patch:
        if name in SET_BY_THE_SHOP:
            raise problem(422, f"{name} is set by the shop and cannot be changed.")
    for mistake in mistakes(STREAMS[stream], patch):
        raise problem(422, f"{stream}: {mistake}")
    return patch


def apply_patch(shop: Shop, stream: str, record: Record, patch: Record) -> Record:
    """Store the patched record; a patch that changes nothing leaves `updated_at` alone.

    What else the shop does to a patch is set by its `reshapes_patches` and
    `patches_move_updated_at`.

    A member that the patch removes (null) is shown as null from then on, for a record of the
    contract always arrives whole.
    """
    if shop.reshapes_patches:
        patch = reshaped(STREAMS[stream], patch)
    patched = merged(record, patch)
    if patched == record:
        return record
    if shop.patches_move_updated_at:
        patched["updated_at"] = None
    return shop.put(stream, patched)
