// The lists of docs/shop-api.md in Express, from memory: SHOP_TOKEN=... PORT=8080 node app.js
// A shop with a database asks it for the page instead: see PAGE in app.py.
const { createHash, timingSafeEqual } = require("node:crypto");
const { readFileSync } = require("node:fs");
const express = require("express");

// {"customers": [...], "products": [...], "orders": [...]}, each record as docs/shop-api.md has it
const records = JSON.parse(readFileSync(process.env.SHOP_RECORDS, "utf8"));
const app = express();

class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const digest = (text) => createHash("sha256").update(text).digest();

app.use((request, _response, next) => {
  const given = digest(request.get("Authorization") ?? "");
  const isRight = timingSafeEqual(given, digest(`Bearer ${process.env.SHOP_TOKEN}`));
  next(isRight ? undefined : new Problem(401, "Send the shop's token as Authorization: Bearer."));
});

// Stamps are compared as text, so all are brought to one form: UTC, with six decimals.
function sortable(stamp) {
  const parts = /^(.{19})(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(stamp);
  const moment = parts && Date.parse(`${parts[1]}${parts[3]}`);
  if (!parts || Number.isNaN(moment)) throw new Problem(400, "updated_since is no stamp.");
  return `${new Date(moment).toISOString().slice(0, 19)}.${(parts[2] ?? "").padEnd(6, "0")}Z`;
}

function placeOf(cursor) {
  try {
    const place = JSON.parse(cursor);
    if (place.length === 2 && place.every((part) => typeof part === "string")) return place;
  } catch {}
  throw new Problem(400, "The cursor was not given out by this shop.");
}

const isAfter = ([stamp, id], [otherStamp, otherId]) =>
  stamp > otherStamp || (stamp === otherStamp && id > otherId);
const place = (record) => [sortable(record.updated_at), record.id];

app.get("/:stream", (request, response) => {
  if (!Object.hasOwn(records, request.params.stream)) throw new Problem(404, "There is no such list.");
  for (const [name, value] of Object.entries(request.query)) {
    const isKnown = ["updated_since", "limit", "cursor"].includes(name) && typeof value === "string";
    if (!isKnown) throw new Problem(400, `Unknown parameter ${name}.`);
  }
  const { updated_since: since, limit: wanted = "100", cursor } = request.query;
  const limit = /^\d{1,4}$/.test(wanted) ? Number(wanted) : 0;
  if (limit < 1 || limit > 1000) throw new Problem(400, "limit is a number from 1 to 1000.");
  const from = since === undefined ? "" : sortable(since);
  const after = cursor === undefined ? ["", ""] : placeOf(cursor);
  const rest = records[request.params.stream]
    .filter((one) => place(one)[0] >= from && isAfter(place(one), after))
    .sort((one, other) => (isAfter(place(one), place(other)) ? 1 : -1));
  const data = rest.slice(0, limit);
  const next = rest.length > limit ? JSON.stringify(place(data[limit - 1])) : null;
  response.json({ data, next_cursor: next });
});

app.use((request) => { throw new Problem(404, `There is no ${request.path}.`); });
app.use((error, _request, response, _next) => {
  const status = error.status ?? 500;
  const detail = error instanceof Problem ? error.message : "The request failed.";
  response.status(status).type("application/problem+json");
  response.send(JSON.stringify({ type: "about:blank", title: "Error", status, detail }));
});

app.listen(Number(process.env.PORT ?? 8080), "127.0.0.1");
