<?php
// The yardstick's peer in PHP: php-fpm behind nginx, PDO. See ../README.md for what every peer must
// answer. No framework: what PHP itself costs.

declare(strict_types=1);

const COLUMNS = "p.id, p.sku, p.name, p.description, p.brand, c.category_key AS category,
    p.price_minor, p.currency, p.stock, p.in_stock, IF(p.status = 0, 'active', 'draft') AS status,
    p.version, p.created_at, p.updated_at";
const FIND = 'SELECT ' . COLUMNS . ' FROM products p JOIN categories c ON c.id = p.category_id
    WHERE p.id = ? AND p.listed = 1';
const LIST_PAGE = 'SELECT STRAIGHT_JOIN ' . COLUMNS . '
    FROM products p FORCE INDEX (ix_products_newest) JOIN categories c ON c.id = p.category_id
    WHERE p.listed = 1 AND p.id < ? ORDER BY p.id DESC LIMIT ?';
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const MAC_BYTES = 16;

function answer(int $status, array $value): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($value, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
    exit;
}

function refuse(int $status, string $title): never
{
    answer($status, ['title' => $title, 'status' => $status]);
}

// A persistent connection: the process keeps it from request to request. Statements are emulated,
// which is PDO's default for MySQL and takes one round trip.
function database(): PDO
{
    return new PDO(
        sprintf('mysql:unix_socket=%s;dbname=%s;charset=utf8mb4', getenv('DATABASE_SOCKET'), getenv('DATABASE_NAME')),
        getenv('DATABASE_USER'),
        getenv('DATABASE_PASSWORD'),
        [PDO::ATTR_PERSISTENT => true, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION],
    );
}

function rows(string $sql, int ...$values): array
{
    $statement = database()->prepare($sql);
    foreach ($values as $i => $value) {
        $statement->bindValue($i + 1, $value, PDO::PARAM_INT);
    }
    $statement->execute();
    return $statement->fetchAll(PDO::FETCH_ASSOC);
}

function product(array $row): array
{
    $row['in_stock'] = (bool) $row['in_stock'];
    foreach (['created_at', 'updated_at'] as $time) {
        $row[$time] = strtr($row[$time], ' ', 'T') . 'Z';
    }
    return $row;
}

function sign(string $id): string
{
    $mac = hash_hmac('sha256', 'products newest' . $id, getenv('CURSOR_KEY'), true);
    return substr($mac, 0, MAC_BYTES);
}

function cursor(int $id): string
{
    $raw = pack('J', $id);
    return rtrim(strtr(base64_encode(sign($raw) . $raw), '+/', '-_'), '=');
}

function read_cursor(string $text): int
{
    $raw = base64_decode(strtr($text, '-_', '+/'), true);
    if ($raw === false || strlen($raw) !== MAC_BYTES + 8) {
        refuse(400, 'Bad Request');
    }
    $id = substr($raw, MAC_BYTES);
    if (!hash_equals(sign($id), substr($raw, 0, MAC_BYTES))) {
        refuse(400, 'Bad Request');
    }
    return unpack('J', $id)[1];
}

function find(int $id): never
{
    $rows = rows(FIND, $id);
    $rows === [] ? refuse(404, 'Not Found') : answer(200, product($rows[0]));
}

function list_page(): never
{
    $limit = filter_var($_GET['limit'] ?? LIMIT_DEFAULT, FILTER_VALIDATE_INT,
        ['options' => ['min_range' => 1, 'max_range' => LIMIT_MAX]]);
    if ($limit === false) {
        refuse(400, 'Bad Request');
    }
    $before = isset($_GET['cursor']) ? read_cursor((string) $_GET['cursor']) : PHP_INT_MAX;
    // One row more than shown tells whether there is a next page.
    $items = array_map(product(...), rows(LIST_PAGE, $before, $limit + 1));
    $more = count($items) > $limit;
    $items = array_slice($items, 0, $limit);
    answer(200, ['items' => $items, 'next_cursor' => $more ? cursor(end($items)['id']) : null]);
}

$path = strtok($_SERVER['REQUEST_URI'], '?');
if ($path === '/health/live') {
    answer(200, ['status' => 'ok']);
}
if ($path === '/') {
    answer(200, [
        'service' => 'cbu',
        'version' => getenv('VERSION'),
        'currency' => getenv('CURRENCY'),
        'links' => [
            'products' => '/v1/products',
            'categories' => '/v1/categories',
            'document' => '/openapi.json',
            'docs' => '/docs',
            'health' => '/health/live',
        ],
    ]);
}
try {
    if ($path === '/v1/products') {
        list_page();
    }
    if (preg_match('~^/v1/products/(\d{1,18})$~D', $path, $parts)) {
        find((int) $parts[1]);
    }
} catch (PDOException $error) {
    error_log($error->getMessage());
    refuse(503, 'Service Unavailable');
}
refuse(404, 'Not Found');
