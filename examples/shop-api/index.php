<?php
// The lists of docs/shop-api.md in plain PHP, from the SQLite file of app.py:
// SHOP_TOKEN=... SHOP_DATABASE=shop.db php -S 127.0.0.1:8080 index.php
declare(strict_types=1);

function answer(int $status, array $body): never
{
    http_response_code($status);
    $kind = $status === 200 ? 'application/json' : 'application/problem+json';
    header("Content-Type: $kind");
    echo json_encode($body, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
    exit;
}

function problem(int $status, string $detail): never
{
    answer($status, ['type' => 'about:blank', 'title' => 'Error', 'status' => $status, 'detail' => $detail]);
}

/** Stamps are compared as text, so all are brought to one form: UTC, with six decimals. */
function sortable(string $stamp): string
{
    if (!preg_match('/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/', $stamp)) {
        problem(400, 'updated_since is no stamp.');
    }
    try {
        $moment = new DateTimeImmutable($stamp);
    } catch (Exception) {
        problem(400, 'updated_since is no stamp.');
    }
    return $moment->setTimezone(new DateTimeZone('UTC'))->format('Y-m-d\TH:i:s.u\Z');
}

if (!hash_equals('Bearer ' . getenv('SHOP_TOKEN'), $_SERVER['HTTP_AUTHORIZATION'] ?? '')) {
    problem(401, "Send the shop's token as Authorization: Bearer.");
}
$stream = trim((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), '/');
if ($_SERVER['REQUEST_METHOD'] !== 'GET' || !in_array($stream, ['customers', 'products', 'orders'], true)) {
    problem(404, 'There is no such list.');
}
foreach ($_GET as $name => $value) {
    if (!in_array($name, ['updated_since', 'limit', 'cursor'], true) || !is_string($value)) {
        problem(400, "Unknown parameter $name.");
    }
}
$limit = preg_match('/^\d{1,4}$/', $_GET['limit'] ?? '100') ? (int) ($_GET['limit'] ?? 100) : 0;
if ($limit < 1 || $limit > 1000) {
    problem(400, 'limit is a number from 1 to 1000.');
}
$since = isset($_GET['updated_since']) ? sortable($_GET['updated_since']) : '';
$after = isset($_GET['cursor']) ? json_decode($_GET['cursor']) : ['', ''];
if (!is_array($after) || count($after) !== 2 || !is_string($after[0]) || !is_string($after[1])) {
    problem(400, 'The cursor was not given out by this shop.');
}

$database = new PDO('sqlite:' . getenv('SHOP_DATABASE'));
$query = $database->prepare(
    'SELECT record FROM records WHERE stream = ? AND updated_at >= ? AND (updated_at, id) > (?, ?)'
    . ' ORDER BY updated_at, id LIMIT ' . ($limit + 1)
);
$query->execute([$stream, $since, $after[0], $after[1]]);
// As objects, not arrays: an empty {} stays one.
$found = array_map('json_decode', $query->fetchAll(PDO::FETCH_COLUMN));
$data = array_slice($found, 0, $limit);
$last = end($data);
$next = count($found) > $limit ? json_encode([$last->updated_at, $last->id]) : null;
answer(200, ['data' => $data, 'next_cursor' => $next]);
