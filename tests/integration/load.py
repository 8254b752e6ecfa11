"""Clients that keep a service busy, and say whatever was not as it should be."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from catalogue import SEED, Catalogue
from nginx_server import Answer
from stacks import Service, wait_for

CLIENTS = 8


def get_together(service: Service, targets: list[str]) -> list[Answer]:
    """Answers to requests that are all under way at once, each on a connection of its own."""

    def get(target: str) -> Answer:
        with service.client() as client:
            return client.get(target)

    with ThreadPoolExecutor(len(targets)) as threads:
        return list(threads.map(get, targets))


class Readers:
    """Clients that read products of the catalogue, each as fast as it can, until told to stop or
    until all have read so many. Whatever is not exactly the product is kept in `wrong`."""

    def __init__(self, service: Service, catalogue: Catalogue, reads: int | None = None) -> None:
        self._service = service
        self._products = list(catalogue.products.items())
        self._left = reads
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.count = 0
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def wait_for_some(self) -> None:
        """Until more has been read than could be on its way at the time of the call."""
        target = self.count + 10 * CLIENTS
        wait_for(lambda: self.count >= target or self.wrong, "more answers")

    def _next(self) -> bool:
        with self._lock:
            if self._stop.is_set() or (self._left is not None and self.count >= self._left):
                return False
            self.count += 1
            return True

    def _read(self, number: int) -> None:
        rng = random.Random(SEED + number)
        with self._service.client() as client:
            while self._next():
                id, product = rng.choice(self._products)
                try:
                    answer = client.get(f"/v1/products/{id}")
                    if answer.status != 200 or answer.json() != product:
                        self.wrong.append(f"{answer.status} {answer.body[:200]!r}")
                except Exception as error:
                    self.wrong.append(repr(error))
                    client.close()
