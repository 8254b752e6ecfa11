-- Who changed what, and which POST was answered how.
-- Valid on MySQL 8 and MariaDB 10.11+; nothing that was there before is touched.

-- One row a change, written in the transaction of the change and never altered afterwards. For every
-- noun: its name, the row's id, and its version after the change.
-- `changes` is a JSON object of the changed members, each with "before" and "after". It is text and no
-- JSON column, since the two servers would give it back in different spellings.
CREATE TABLE audit_log (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    noun       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'product, ...',
    noun_id    BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    action     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at         DATETIME(3) NOT NULL,
    user_id    VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL COMMENT 'sub of the token',
    username   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    request_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL COMMENT 'as in the logs',
    changes    MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    KEY ix_audit_log_noun (noun, noun_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- A row is made before the change and belongs to whoever has it locked; one without an answer and
-- without a lock was left by a request that changed nothing.
CREATE TABLE idempotency_keys (
    id           BINARY(32) NOT NULL PRIMARY KEY COMMENT 'SHA-256 of caller, route and key',
    created_at   DATETIME(3) NOT NULL,
    fingerprint  BINARY(32) NULL COMMENT 'SHA-256 of path and body; with the answer',
    status       SMALLINT NULL COMMENT 'of the answer; NULL: none yet',
    content_type VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL,
    headers      VARCHAR(4000) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'lines of the answer',
    body         MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    KEY ix_idempotency_keys_created (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
