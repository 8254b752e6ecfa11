"""`cbu migrate`: numbered files, each applied once, by one process at a time."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import pymysql
import pytest
from nginx_server import ROOT
from stacks import (
    CBU,
    EX_CONFIG,
    EX_DATAERR,
    EX_SOFTWARE,
    EX_UNAVAILABLE,
    Database,
    Sql,
    Stack,
    locked,
    plain_environment,
    run_cbu,
    wait_for,
    with_database,
)

FIRST = "CREATE TABLE marks (mark INT NOT NULL);\nINSERT INTO marks VALUES (1);\n"
# Needs a table that the first file does not make.
SECOND = """INSERT INTO marks VALUES (2);
INSERT INTO later VALUES (3);
INSERT INTO marks VALUES (4);
"""


@pytest.fixture
def empty(make_database: Callable[..., Database]) -> Iterator[Database]:
    database = make_database(migrated=False)
    yield database
    database.sql.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_marks.sql").write_text(FIRST)
    return tmp_path


def migrate(database: Database, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_cbu("migrate", DATABASE_URL=database.admin_url, MIGRATIONS_DIR=str(folder))


def marks(database: Database) -> list[int]:
    return [row[0] for row in database.sql.rows("SELECT mark FROM marks ORDER BY mark")]


def applied(database: Database) -> list[tuple[int, str, int, bool]]:
    return database.sql.rows(
        "SELECT version, name, statements_done, applied_at IS NOT NULL FROM schema_migrations"
        " ORDER BY version"
    )


# ---- the project's own files ----
def test_second_run_changes_nothing(empty: Database) -> None:
    files = sorted(file.name for file in (ROOT / "migrations").glob("*.sql"))
    first = run_cbu("migrate", DATABASE_URL=empty.admin_url)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        *(f"applying {name}" for name in files),
        "the database is up to date",
    ]
    tables = [empty.sql.rows(f"SHOW CREATE TABLE {name}") for name in ("products", "categories")]
    record = empty.sql.rows("SELECT * FROM schema_migrations")
    assert [row[1] for row in applied(empty)] == files
    second = run_cbu("migrate", DATABASE_URL=empty.admin_url)
    assert (second.returncode, second.stdout) == (0, "the database is up to date\n")
    assert empty.sql.rows("SELECT * FROM schema_migrations") == record
    after = [empty.sql.rows(f"SHOW CREATE TABLE {name}") for name in ("products", "categories")]
    assert after == tables


def test_own_url_for_migrations(empty: Database, database: Database) -> None:
    """The serving user could not do it, and the other database stays as it is."""
    done = run_cbu("migrate", DATABASE_URL=database.url, MIGRATE_DATABASE_URL=empty.admin_url)
    assert done.returncode == 0
    assert applied(empty)
    done = run_cbu("migrate", DATABASE_URL=empty.url)
    assert done.returncode == EX_SOFTWARE
    assert "denied" in done.stderr


# ---- files that are added, changed, broken ----
def test_new_file_is_applied_once(empty: Database, folder: Path) -> None:
    assert migrate(empty, folder).returncode == 0
    (folder / "0002_more.sql").write_text("INSERT INTO marks VALUES (2)")
    for _ in range(2):
        assert migrate(empty, folder).returncode == 0
        assert marks(empty) == [1, 2]
    assert applied(empty) == [(1, "0001_marks.sql", 2, 1), (2, "0002_more.sql", 1, 1)]


def test_changed_file_is_refused(empty: Database, folder: Path) -> None:
    assert migrate(empty, folder).returncode == 0
    (folder / "0001_marks.sql").write_text(FIRST + "INSERT INTO marks VALUES (3);\n")
    (folder / "0002_more.sql").write_text("INSERT INTO marks VALUES (2);")
    done = migrate(empty, folder)
    assert done.returncode == EX_DATAERR
    assert "migration_changed" in done.stderr and "0001_marks.sql" in done.stderr
    assert marks(empty) == [1], "nothing behind it is applied either"
    # As it was, it is accepted again.
    (folder / "0001_marks.sql").write_text(FIRST)
    assert migrate(empty, folder).returncode == 0
    assert marks(empty) == [1, 2]


def test_failed_statement_is_where_the_next_run_goes_on(empty: Database, folder: Path) -> None:
    (folder / "0002_more.sql").write_text(SECOND)
    for _ in range(2):
        done = migrate(empty, folder)
        assert done.returncode == EX_SOFTWARE
        assert "migration_failed" in done.stderr
        assert "0002_more.sql, statement 2" in done.stderr and "later" in done.stderr
        assert marks(empty) == [1, 2]
        assert applied(empty)[1] == (2, "0002_more.sql", 1, 0)
    empty.sql.run("CREATE TABLE later (mark INT)")
    assert migrate(empty, folder).returncode == 0
    assert marks(empty) == [1, 2, 4]
    assert empty.sql.value("SELECT COUNT(*) FROM later") == 1


def test_killed_run_goes_on_where_it_was(empty: Database, folder: Path) -> None:
    assert migrate(empty, folder).returncode == 0
    empty.sql.run("CREATE TABLE later (mark INT)")
    (folder / "0002_more.sql").write_text(SECOND)
    with locked(empty.sql, "later"):
        process = subprocess.Popen(
            [CBU, "migrate"],
            cwd=ROOT,
            env=plain_environment(DATABASE_URL=empty.admin_url, MIGRATIONS_DIR=str(folder)),
            stdout=subprocess.DEVNULL,
        )
        try:
            [[id]] = wait_for(
                lambda: empty.sql.rows(
                    "SELECT id FROM information_schema.processlist "
                    "WHERE db = DATABASE() AND info LIKE 'INSERT INTO later%'"
                ),
                "the second statement",
            )
        finally:
            process.kill()
            process.wait()
        # Its statement must not be done after all, once the table is free.
        empty.sql.run(f"KILL {id}")
        wait_for(
            lambda: (
                not empty.sql.rows("SELECT 1 FROM information_schema.processlist WHERE id = %s", id)
            ),
            "the end of its connection",
        )
    assert marks(empty) == [1, 2]
    assert migrate(empty, folder).returncode == 0
    assert marks(empty) == [1, 2, 4]
    assert empty.sql.value("SELECT COUNT(*) FROM later") == 1


def test_runs_at_once(empty: Database, folder: Path) -> None:
    for number in range(2, 12):
        insert = f"INSERT INTO marks (mark) VALUES ({number});\n"
        alter = f"ALTER TABLE marks ADD COLUMN c{number} INT DEFAULT 0;\n"
        (folder / f"{number:04}_more.sql").write_text(insert + alter)
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: migrate(empty, folder), range(4)))
    assert [(done.returncode, done.stderr) for done in runs] == [(0, "")] * 4
    assert marks(empty) == list(range(1, 12))
    # One of them did all of it.
    assert sorted(done.stdout.count("applying") for done in runs) == [0, 0, 0, 11]


def test_statements_are_told_apart(empty: Database, folder: Path) -> None:
    text = """-- a comment; with a semicolon and an apostrophe's mark
    INSERT INTO marks VALUES (2); /* another; one */ INSERT INTO marks VALUES (3)
    ;;
    # one more; of these
    CREATE TABLE texts (text VARCHAR(100) CHARACTER SET utf8mb4);
    INSERT INTO texts VALUES ('a;b''c\\';--'), ("d;e" /* f */), ('-- no comment'), ('🍵; #');
    CREATE TABLE `odd;name` (a INT) -- the last one has no semicolon"""
    (folder / "0002_more.sql").write_text(text)
    done = migrate(empty, folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert marks(empty) == [1, 2, 3]
    texts = {row[0] for row in empty.sql.rows("SELECT text FROM texts")}
    assert texts == {"a;b'c';--", "d;e", "-- no comment", "🍵; #"}
    assert empty.sql.value("SELECT COUNT(*) FROM `odd;name`") == 0


# ---- folders that are not right ----
@pytest.mark.parametrize(
    "name",
    [
        *("readme.txt", "0002_more.sql~", "0002_more", "2_more.sql", "00002_more.sql", "0002.sql"),
        *("0003_gap.sql", "0001_again.sql", "0000_zero.sql", "0002-more.sql", "x002_more.sql"),
        *("0002_.sql", "0002_more.SQL"),
    ],
)
def test_name_that_is_not_right(empty: Database, folder: Path, name: str) -> None:
    (folder / name).write_text("INSERT INTO marks VALUES (2);")
    done = migrate(empty, folder)
    assert done.returncode == EX_CONFIG
    # Of two with the same number either may be named.
    assert name in done.stderr or "0001_marks.sql" in done.stderr
    assert empty.sql.rows("SHOW TABLES") == [], "nothing is applied before all names are right"


def test_hidden_files_are_nothing(empty: Database, folder: Path) -> None:
    (folder / ".0002_more.sql.swp").write_text("nonsense")
    assert migrate(empty, folder).returncode == 0


def test_folder_that_is_not_there(empty: Database, folder: Path) -> None:
    done = migrate(empty, folder / "absent")
    assert done.returncode == EX_CONFIG
    assert "absent" in done.stderr


def test_file_that_cannot_be_read(empty: Database, folder: Path) -> None:
    (folder / "0002_more.sql").mkdir()
    done = migrate(empty, folder)
    assert done.returncode == EX_CONFIG
    assert "0002_more.sql" in done.stderr


def test_file_that_is_too_large(empty: Database, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("-- x\n" * 100_000)
    done = migrate(empty, folder)
    assert done.returncode == EX_CONFIG
    assert "0002_more.sql" in done.stderr


def test_empty_folder(empty: Database, tmp_path: Path) -> None:
    done = migrate(empty, tmp_path)
    assert (done.returncode, done.stdout) == (0, "the database is up to date\n")


def test_database_that_is_not_there(tmp_path: Path) -> None:
    url = f"mysql://admin:secret-password@localhost/x?socket={tmp_path}/absent.sock"
    done = run_cbu("migrate", DATABASE_URL=url)
    assert done.returncode == EX_UNAVAILABLE
    assert "database_down" in done.stderr and "secret-password" not in done.stderr


# ---- the user that the service works as ----
ACCOUNT = r"o'dd\name"  # what must be quoted, and escaped in an address
ODD_NAME = "cbu_o`dd"  # a database: _ is a pattern in GRANT, ` ends a name
RIGHTS = {"SELECT", "INSERT", "UPDATE", "DELETE"}


@pytest.fixture
def odd(make_database: Callable[..., Database], stack: Stack) -> Iterator[Database]:
    """An empty database, whose serving user is one that the server does not know."""
    base = make_database(migrated=False)
    base.sql.run("DROP DATABASE IF EXISTS `cbu_o``dd`")
    base.sql.run("CREATE DATABASE `cbu_o``dd`")
    admin_url = with_database(base.admin_url, quote(ODD_NAME))
    server = urlsplit(admin_url)
    url = server._replace(netloc=f"{quote(ACCOUNT)}:first@localhost").geturl()
    database = Database(ODD_NAME, url, admin_url)
    yield database
    base.sql.run("DROP USER IF EXISTS %s@'%%'", ACCOUNT)
    base.sql.run("DROP DATABASE `cbu_o``dd`")
    database.sql.close()
    base.sql.close()


def migrate_both(database: Database, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_cbu(
        "migrate",
        **{"DATABASE_URL": database.url, "MIGRATE_DATABASE_URL": database.admin_url, **settings},
    )


def with_password(url: str, password: str) -> str:
    user = urlsplit(url).netloc.partition(":")[0]
    return urlsplit(url)._replace(netloc=f"{user}:{password}@localhost").geturl()


def held_rights(database: Database, url: str) -> set[tuple[str, str]]:
    """Where the user of this address has which rights, as it sees itself."""
    with contextlib.closing(Sql(url)) as sql:
        rows = sql.rows(
            "SELECT table_schema, privilege_type FROM information_schema.schema_privileges"
            " UNION ALL SELECT '*', privilege_type FROM information_schema.user_privileges"
        )
    return {(schema, right) for schema, right in rows if right != "USAGE"}


def test_migration_makes_the_serving_user(odd: Database) -> None:
    with pytest.raises(pymysql.OperationalError):
        Sql(odd.url)
    first = migrate_both(odd)
    assert (first.returncode, first.stderr) == (0, "")
    assert "the serving user has its rights" in first.stdout
    assert held_rights(odd, odd.url) == {(r"cbu\_o`dd", right) for right in RIGHTS}
    assert run_cbu("import", "-", input="", DATABASE_URL=odd.url).returncode == 0
    with contextlib.closing(Sql(odd.url)) as sql, pytest.raises(pymysql.OperationalError):
        sql.run("CREATE TABLE no_right (x INT)")
    again = migrate_both(odd)
    assert (again.returncode, again.stdout) == (0, "the database is up to date\n")


def test_migration_gives_the_serving_user_its_password_only_when_it_is_refused(
    odd: Database,
) -> None:
    assert migrate_both(odd).returncode == 0
    changed = with_password(odd.url, "s'ec\\ond-%25")
    done = migrate_both(odd, DATABASE_URL=changed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "password again" in done.stdout and "ond-" not in done.stdout
    assert held_rights(odd, changed)
    with pytest.raises(pymysql.OperationalError):
        Sql(odd.url)
    # What a person took away comes back, and nothing else is touched.
    odd.sql.run(r"REVOKE DELETE ON `cbu\_o``dd`.* FROM %s@'%%'", ACCOUNT)
    done = migrate_both(odd, DATABASE_URL=changed)
    assert done.returncode == 0 and "password again" not in done.stdout
    assert len(held_rights(odd, changed)) == len(RIGHTS)


def test_serving_user_that_is_right_needs_no_rights_of_the_migrating_one(odd: Database) -> None:
    """A user who may change tables and nothing else can migrate, where others make the users."""
    assert migrate_both(odd).returncode == 0
    odd.sql.run("CREATE USER ddl@'%' IDENTIFIED BY 'ddl-password'")
    try:
        odd.sql.run(r"GRANT ALL ON `cbu\_o``dd`.* TO ddl@'%'")
        server = urlsplit(odd.admin_url)
        ddl = server._replace(netloc="ddl:ddl-password@localhost").geturl()
        done = migrate_both(odd, MIGRATE_DATABASE_URL=ddl)
        assert (done.returncode, done.stderr) == (0, "")
        # It may not make the one that is missing, and says so without the password.
        unknown = server._replace(netloc="nobody:secret-password@localhost").geturl()
        done = migrate_both(odd, MIGRATE_DATABASE_URL=ddl, DATABASE_URL=unknown)
        assert done.returncode == EX_SOFTWARE
        assert "serving_user_failed: CREATE USER for the serving user nobody" in done.stderr
        assert "1227" in done.stderr and "secret-password" not in done.stderr + done.stdout
    finally:
        odd.sql.run("DROP USER ddl@'%'")


def test_account_for_a_narrower_host_is_named_as_the_reason(odd: Database) -> None:
    odd.sql.run("CREATE USER %s@'localhost' IDENTIFIED BY 'other'", ACCOUNT)
    try:
        done = migrate_both(odd)
        assert done.returncode == EX_SOFTWARE
        assert "narrower host" in done.stderr
    finally:
        odd.sql.run("DROP USER %s@'localhost'", ACCOUNT)
