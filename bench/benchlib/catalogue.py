"""The database that every server of a run works on: private, and with the same rows each time."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator

from stacklib.app import App
from stacklib.aws import Aws
from stacklib.cognito import Cognito
from stacklib.database import ADMIN_USER, KINDS, SERVING_USER, Database
from stacklib.folder import Folder
from stacklib.process import StackError

from .paths import ROOT, WORK

# Part of the folder's name, so that rows of another generator are never measured.
GENERATION = 1
SEED = 20261122
IMPORT_LIMIT_S = 3600
# A big catalogue must fit into memory, or the disk is measured instead of the servers.
POOL_BYTES_LEAST = 128 << 20
POOL_BYTES_A_PRODUCT = 2048

ADJECTIVES = (
    *("Folding", "Enamel", "Cast Iron", "Waxed", "Merino", "Brushed", "Hand-Forged", "Recycled"),
    *("Insulated", "Walnut", "Slate", "Compact", "Foldable", "Rechargeable", "Crème", "Quiet"),
)
NOUNS = (
    *("Mug", "Skillet", "Kettle", "Lantern", "Blanket", "Backpack", "Desk Lamp", "Keyboard"),
    *("Bookend", "Trowel", "Hammock", "Café Grinder", "Umbrella", "Notebook", "Water Bottle"),
)
WORDS = (
    *("steel", "two", "coats", "of", "glaze", "that", "survives", "the", "dishwasher", "and", "a"),
    *("camp", "stove", "with", "riveted", "handle", "made", "in", "small", "batches", "from"),
    *("oak", "or", "beech", "light", "enough", "for", "every", "day", "spare", "parts", "for"),
    *("ten", "years", "washable", "at", "30", "°C", "by", "hand", "no", "plastic", "inside"),
)
BRANDS = tuple(f"{name} {kind}" for name in ("Hollow", "Tindal", "Brännvik", "Ostra", "Meyer")
               for kind in ("& Co", "Works", "Supply", "House"))  # fmt: skip
CATEGORIES = tuple(f"category-{number:02}" for number in range(40))


def products(count: int) -> Iterator[dict[str, object]]:
    """The rows, always the same: texts of a length that shops have, one in eight without a brand,
    one in ten out of stock."""
    chance = random.Random(SEED)
    for number in range(count):
        words = chance.choices(WORDS, k=chance.randint(15, 60))
        product: dict[str, object] = {
            "sku": f"SKU-{number:08}",
            "name": f"{chance.choice(ADJECTIVES)} {chance.choice(NOUNS)} {number % 1000}",
            "description": " ".join(words).capitalize() + ".",
            "category": chance.choice(CATEGORIES),
            "price_minor": chance.randint(99, 99999),
            "stock": 0 if chance.random() < 0.1 else chance.randint(1, 500),
        }
        if chance.random() >= 0.125:
            product["brand"] = chance.choice(BRANDS)
        yield product


class Catalogue:
    """The database of one kind and size, up."""

    def __init__(self, kind: str, count: int) -> None:
        KINDS[kind].find()
        self.count = count
        self.database_pid = 0  # while it is up
        self.folder = Folder.made(WORK / f"data-{kind}-{count}-{GENERATION}", kind)
        self.database = Database(self.folder)
        self.app = App(self.folder, self.database, Aws(self.folder), Cognito(self.folder))

    @contextlib.contextmanager
    def up(self) -> Iterator[Catalogue]:
        self.app.check_program()
        with self.folder.locked(0):
            left = self.folder.process("database")
            if left:  # of a run that was killed; nobody else holds the lock
                self.database.stop(left)
            process = self.database.start()
            self.database_pid = process.pid
            try:
                self._size_pool()
                self.app.migrate()
                self._load()
                yield self
            finally:
                self.database.stop(process)
                self.folder.pid_file("database").unlink(missing_ok=True)
                self.folder.remove_short_folder()

    @property
    def settings(self) -> dict[str, str]:
        """How a peer reaches it: over the socket, as our own service does."""
        user, password = self.database.login(SERVING_USER)
        return {
            "DATABASE_SOCKET": str(self.database.socket),
            "DATABASE_USER": user,
            "DATABASE_PASSWORD": password,
            "DATABASE_NAME": "cbu",
        }

    @property
    def version(self) -> str:
        return self._sql("SELECT VERSION()").strip()

    def _size_pool(self) -> None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        wanted = max(POOL_BYTES_LEAST, self.count * POOL_BYTES_A_PRODUCT)
        self._sql(f"SET GLOBAL innodb_buffer_pool_size = {min(wanted, memory // 2)}")

    def _load(self) -> None:
        if self.folder.state.get("products") == self.count:
            # Reads all there is, so that the first server does not fetch it for the others.
            self._sql("SELECT SUM(LENGTH(description)) FROM cbu.products")
            return
        print(f"catalogue: writing {self.count} products", flush=True)
        importer = subprocess.Popen(
            [self.app.program, "import", "-"],
            cwd=ROOT,
            env={**os.environ, **self.app.settings()},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert importer.stdin is not None
        try:
            for product in products(self.count):
                importer.stdin.write(json.dumps(product, ensure_ascii=False) + "\n")
            importer.stdin.close()
        except BrokenPipeError:
            pass  # It has ended, and its exit code tells.
        finally:
            code = importer.wait(IMPORT_LIMIT_S)
        if code != 0:
            raise StackError(f"cbu import failed with exit code {code}")
        self._sql("ANALYZE TABLE cbu.products, cbu.categories")
        self.folder.save(products=self.count)

    def _sql(self, statement: str) -> str:
        client = shutil.which("mariadb") or shutil.which("mysql")
        if client is None:
            raise StackError("there is no mariadb client; local/setup run installs one")
        user, password = self.database.login(ADMIN_USER)
        done = subprocess.run(
            [client, "--no-defaults", "-N", f"--socket={self.database.socket}", f"--user={user}"],
            input=statement,
            env={**os.environ, "MYSQL_PWD": password},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode != 0:
            raise StackError(f"{statement!r} failed: {done.stderr.strip()}")
        return done.stdout
