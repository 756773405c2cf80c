-- The tables as a shop or a warehouse may have them.
CREATE SCHEMA warehouse;
CREATE TABLE warehouse.member (
  id bigint PRIMARY KEY, email text, given text, family text, changed timestamptz NOT NULL
);
CREATE TABLE warehouse.article (
  number text PRIMARY KEY, title text, price numeric(12, 2), vat numeric, changed timestamptz NOT NULL
);
CREATE TABLE warehouse.sale (
  id bigint PRIMARY KEY, member bigint REFERENCES warehouse.member, state text,
  ordered timestamptz, total numeric(12, 2), changed timestamptz NOT NULL
);
CREATE TABLE warehouse.sale_row (
  sale bigint REFERENCES warehouse.sale, row int, article text REFERENCES warehouse.article,
  quantity numeric, amount numeric(12, 2), vat numeric, PRIMARY KEY (sale, row)
);

-- The views have the form of docs/shop-api.md: text for ids, amounts, rates, quantities and stamps.
CREATE SCHEMA shop;
CREATE FUNCTION shop.stamp(timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

CREATE VIEW shop.customers AS
SELECT
  id::text AS id, 'person' AS type, email, given AS first_name, family AS last_name,
  shop.stamp(changed) AS updated_at
FROM warehouse.member;

CREATE VIEW shop.products AS
SELECT
  number AS id, number AS sku, title AS name, 'NOK' AS currency, price::text AS price_excl,
  vat::text AS tax_rate, shop.stamp(changed) AS updated_at
FROM warehouse.article;

CREATE VIEW shop.orders AS
SELECT
  sale.id::text AS id, sale.id::text AS number, state AS status, 'NOK' AS currency,
  member::text AS customer_id, shop.stamp(ordered) AS placed_at, total::text AS total_incl,
  shop.stamp(sale.changed) AS updated_at,
  jsonb_agg(jsonb_build_object(
    'id', row::text, 'type', 'product', 'product_id', article, 'sku', article, 'name', title,
    'quantity', quantity::text, 'total_excl', amount::text, 'tax_rate', sale_row.vat::text
  ) ORDER BY row) AS lines
FROM warehouse.sale JOIN warehouse.sale_row ON sale = sale.id JOIN warehouse.article ON number = article
GROUP BY sale.id;
