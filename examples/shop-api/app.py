"""The shop's API of docs/shop-api.md in Flask: lists, single records and changes, from SQLite.

    SHOP_TOKEN=... SHOP_DATABASE=shop.db flask --app app run --port 8080

Each record is stored as JSON text. A shop with its own tables builds the record where this reads
the column `record`. The rest stays the same: the token, the parameters, the cursor, ETag and
If-Match.
"""

import hashlib
import hmac
import json
import os
import re
import sqlite3
from datetime import datetime, timezone

from flask import Flask, abort, g, request
from werkzeug.exceptions import HTTPException

STREAMS = ("customers", "products", "orders")
SET_BY_THE_SHOP = ("id", "created_at", "updated_at")
STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"  # one form for all, so that stamps sort as text
FORMS = {
    bool: "is_guest tax_exempt is_active prices_include_tax stock_tracked",
    list: "addresses lines shipping fees discounts taxes payments refunds",
    dict: "buyer billing_address shipping_address invoice custom",
}
AMOUNTS = (
    "price_excl price_incl cost_price tax_rate stock_on_hand"
    " total_excl total_tax total_incl rounding total_refunded"
)
STAMPS = "placed_at paid_at shipped_at completed_at cancelled_at deleted_at"
PAYMENT = "unpaid authorized partially_paid paid partially_refunded refunded voided"
WORDS = {
    ("customers", "type"): "person company",
    ("products", "type"): "goods service gift_card",
    ("products", "status"): "active draft archived",
    ("orders", "status"): "draft pending processing on_hold completed cancelled refunded failed",
    ("orders", "payment_status"): PAYMENT,
    ("orders", "fulfillment_status"): "unfulfilled partial fulfilled returned",
}
TABLE = """
CREATE TABLE IF NOT EXISTS records (
  stream TEXT, id TEXT, updated_at TEXT, record TEXT, PRIMARY KEY (stream, id)
);
CREATE INDEX IF NOT EXISTS by_change ON records (stream, updated_at, id);
"""
PAGE = """
SELECT record FROM records
WHERE stream = ? AND updated_at >= ? AND (updated_at, id) > (?, ?)
ORDER BY updated_at, id LIMIT ?
"""

app = Flask(__name__)


def database():
    """Return the connection of this request."""
    if "database" not in g:
        g.database = sqlite3.connect(os.environ["SHOP_DATABASE"], isolation_level=None)
        g.database.executescript(TABLE)
    return g.database


@app.teardown_appcontext
def close(_):
    if "database" in g:
        g.database.close()


@app.errorhandler(HTTPException)
def problem(error):
    """Answer an error as a problem body (RFC 9457)."""
    body = {"type": "about:blank", "status": error.code, "title": error.name}
    headers = {"Content-Type": "application/problem+json"}
    return {**body, "detail": error.description}, error.code, headers


@app.before_request
def admit():
    token = f"Bearer {os.environ['SHOP_TOKEN']}"
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), token.encode()):
        abort(401)
    if request.view_args and request.view_args["stream"] not in STREAMS:
        abort(404)


@app.get("/<stream>")
def list_records(stream):
    for name in request.args:
        if name not in ("updated_since", "limit", "cursor"):
            abort(400, f"Unknown parameter {name}.")
    try:
        limit = int(request.args.get("limit", "100"))
        since = sortable(request.args.get("updated_since", "1970-01-01T00:00:00Z"))
        place = json.loads(request.args.get("cursor", '["", ""]'))
        after, after_id = map(str, place)
    except (ValueError, TypeError):
        abort(400, "limit is a number, updated_since a stamp, and cursor from the page before.")
    if not 1 <= limit <= 1000:
        abort(400, "limit is from 1 to 1000.")
    rows = database().execute(PAGE, (stream, since, after, after_id, limit + 1)).fetchall()
    page = [json.loads(record) for (record,) in rows[:limit]]
    more = len(rows) > limit
    cursor = json.dumps([page[-1]["updated_at"], page[-1]["id"]]) if more else None
    return {"data": page, "next_cursor": cursor}


@app.get("/<stream>/<record_id>")
def single_record(stream, record_id):
    return answer(read(stream, record_id))


@app.patch("/<stream>/<record_id>")
def change(stream, record_id):
    if request.mimetype not in ("application/merge-patch+json", "application/json"):
        abort(415)
    patch = request.get_json(force=True)
    if not isinstance(patch, dict):
        abort(400, "A merge patch is a JSON object.")
    database().execute("BEGIN IMMEDIATE")  # no other change until COMMIT
    text = read(stream, record_id)
    record = json.loads(text)
    if record.get("deleted_at"):
        abort(409, "The record is deleted.")
    if request.headers.get("If-Match", "*") not in ("*", etag(text)):
        abort(412, "The record was changed since it was read.")
    for name in patch:
        if name in SET_BY_THE_SHOP or name not in record:
            abort(422, f"{name} cannot be changed.")
        if not has_its_form(stream, name, patch[name]):
            abort(422, f"{name} cannot hold this value.")
    changed = merged(record, patch)
    if changed != record:
        changed["updated_at"] = datetime.now(timezone.utc).strftime(STAMP)
        text = write(stream, changed)
    database().execute("COMMIT")
    return answer(text)


def sortable(stamp):
    """Return a stamp in the form of STAMP, in UTC; ValueError without a time zone."""
    moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(stamp)
    return moment.astimezone(timezone.utc).strftime(STAMP)


def read(stream, record_id):
    row = (
        database()
        .execute("SELECT record FROM records WHERE stream = ? AND id = ?", (stream, record_id))
        .fetchone()
    )
    return row[0] if row else abort(404)


def write(stream, record):
    """Store a record, new or changed; return its text."""
    record = {**record, "updated_at": sortable(record["updated_at"])}
    text = json.dumps(record, ensure_ascii=False)
    values = (stream, record["id"], record["updated_at"], text)
    database().execute("REPLACE INTO records VALUES (?, ?, ?, ?)", values)
    return text


def etag(text):
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def answer(text):
    return text, {"Content-Type": "application/json", "ETag": etag(text)}


def merged(old, patch):
    """Apply a merge patch to an object; a null in the patch is stored, not removed."""
    new = dict(old)
    for name, value in patch.items():
        are_objects = isinstance(value, dict) and isinstance(new.get(name), dict)
        new[name] = merged(new[name], value) if are_objects else value
    return new


def has_its_form(stream, name, value):
    """Return whether a field can hold this value; what is in lists and objects is not checked."""
    if value is None:
        return True
    for form, names in FORMS.items():
        if name in names.split():
            return isinstance(value, form)
    if not isinstance(value, str):
        return False
    if name in AMOUNTS.split():
        return bool(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value))
    if name in STAMPS.split():
        return is_stamp(value)
    return (stream, name) not in WORDS or value in WORDS[stream, name].split()


def is_stamp(value):
    try:
        return bool(sortable(value))
    except ValueError:
        return False
