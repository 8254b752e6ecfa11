-- The catalogue: categories and products.
-- Valid on MySQL 8 and MariaDB 10.11+. Keys that are compared exactly (sku, category_key, brand) are
-- utf8mb4_bin; names sort by utf8mb4_unicode_520_ci, which orders alike on both servers.

CREATE TABLE categories (
    id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    category_key VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at   DATETIME(3) NOT NULL,
    UNIQUE KEY uq_categories_key (category_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- `listed` is what the public may see; every index that serves a public list begins with it and ends
-- with the id, so that each sort is a range of one index, page after page, and ties have an order.
-- "Newest" needs no column: ids grow.
CREATE TABLE products (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    sku         VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    name        VARCHAR(200) NOT NULL,
    description VARCHAR(4000) NOT NULL,
    brand       VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    category_id BIGINT NOT NULL,
    price_minor BIGINT NOT NULL,
    currency    CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    stock       BIGINT NOT NULL,
    status      TINYINT NOT NULL COMMENT '0 active, 1 draft',
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  DATETIME(3) NOT NULL,
    updated_at  DATETIME(3) NOT NULL,
    deleted_at  DATETIME(3) NULL,
    listed      TINYINT AS (CASE WHEN status = 0 AND deleted_at IS NULL THEN 1 ELSE 0 END) STORED,
    in_stock    TINYINT AS (CASE WHEN stock > 0 THEN 1 ELSE 0 END) STORED,
    UNIQUE KEY uq_products_sku (sku),
    KEY ix_products_newest (listed, id),
    KEY ix_products_price (listed, price_minor, id),
    KEY ix_products_name (listed, name, id),
    KEY ix_products_category_newest (listed, category_id, id),
    KEY ix_products_category_price (listed, category_id, price_minor, id),
    KEY ix_products_category_name (listed, category_id, name, id),
    KEY ix_products_brand (listed, brand, id),
    KEY ix_products_in_stock (listed, in_stock, id),
    KEY ix_products_category (category_id),
    CONSTRAINT ck_products_price CHECK (price_minor >= 0),
    CONSTRAINT ck_products_stock CHECK (stock >= 0),
    CONSTRAINT fk_products_category FOREIGN KEY (category_id) REFERENCES categories (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
