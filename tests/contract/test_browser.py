"""A browser with the API: the page at /docs under its policy, and ETags despite compression."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from issuer import Issuer
from playwright.sync_api import Page, expect, sync_playwright
from stacks import Service, Stack

# What Chromium needs where there is neither a sandbox nor a network, and no look-ups of its own.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
# Asks for a product as every script does, compressed, and changes it with the ETag it was given.
CHANGE = """async ([id, token, name]) => {
    const at = `/v1/products/${id}`;
    const headers = {Authorization: `Bearer ${token}`};
    const seen = await fetch(at, {headers});
    const {sku, category, price_minor, stock} = await seen.json();
    const etag = seen.headers.get("ETag");
    const change = (tag) => fetch(at, {
        method: "PUT",
        headers: {...headers, "Content-Type": "application/json", "If-Match": tag},
        body: JSON.stringify({sku, category, price_minor, stock, name}),
    });
    const done = await change(etag);
    const again = await change(etag);
    return {etag, status: done.status, name: (await done.json()).name, again: again.status};
}"""


@contextmanager
def browsing(url: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what it complains of."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 900})
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page, complaints
        browser.close()


@pytest.fixture
def token(issuer: Issuer) -> str:
    return issuer.mint("editors")


def _url(service: Service) -> str:
    return f"http://127.0.0.1:{service.nginx.port}"


def _screenshot(page: Page, name: str) -> None:
    """For people, when they ask for it with SCREENSHOTS=folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_docs_try_a_call(service: Service, token: str, operations: list[Any]) -> None:
    """A pasted token is sent with a call, nothing breaks the page's policy, nothing is loaded from
    anywhere else."""
    with browsing(_url(service)) as (page, complaints):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/docs")
        expect(page.locator(".opblock")).to_have_count(len(operations), timeout=60_000)
        _screenshot(page, "docs")
        page.locator("button.authorize").first.click()
        page.locator(".auth-container input").first.fill(token)
        page.locator(".auth-btn-wrapper button.authorize").click()
        page.locator(".auth-btn-wrapper button.btn-done").click()
        block = page.locator("[id$='-listChanges']").first
        block.locator("button.opblock-summary-control").click()
        block.locator("button.try-out__btn").click()
        block.locator("button.execute").click()
        expect(
            block.locator(".live-responses-table .response .response-col_status").first
        ).to_contain_text("200", timeout=60_000)
        _screenshot(page, "docs-called")
    assert complaints == []
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {
        f"127.0.0.1:{service.nginx.port}"
    }


def test_etag_survives_compression_in_a_browser(
    stack: Stack, changing: Service, token: str
) -> None:
    with browsing(_url(changing)) as (page, _):
        page.goto("/docs")
        seen = page.evaluate(CHANGE, [1, token, "Changed by a browser"])
    assert seen["etag"].startswith('"')
    assert (seen["status"], seen["name"]) == (200, "Changed by a browser")
    assert seen["again"] == 412


def test_etag_survives_compression_with_curl(changing: Service, token: str, tmp_path: Path) -> None:
    head = tmp_path / "head"

    def curl(*arguments: str) -> str:
        done = subprocess.run(
            [
                *(
                    "curl",
                    "-sS",
                    "--compressed",
                    "-D",
                    head,
                    "-w",
                    "%{http_code}",
                    "-o",
                    os.devnull,
                ),
                *("-H", f"Authorization: Bearer {token}", *arguments),
                f"{_url(changing)}/v1/products/1",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def change(etag: str) -> str:
        return curl(
            *("-X", "PATCH", "-H", "Content-Type: application/merge-patch+json"),
            *("-H", f"If-Match: {etag}", "-d", '{"name":"Changed by curl"}'),
        )

    assert curl() == "200"
    fields = dict(line.split(": ", 1) for line in head.read_text().splitlines() if ": " in line)
    assert fields["ETag"].startswith('"')
    assert change(fields["ETag"]) == "200"
    assert change(fields["ETag"]) == "412"
