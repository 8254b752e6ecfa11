"""Reads a commerce vendor's sample catalogue: the npm package
@commercetools/composable-commerce-test-data-sample-presets, as local/setup unpacks it.

The package is JavaScript that builds its objects by chains of calls with literals in them
(`.sku('AMR-09')`), so those literals can be read without running any of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

STRING = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)"""
FOLDERS = {
    "sampleDataB2B": "sample-data-b2b",
    "sampleDataB2CLifestyle": "sample-data-b2c-lifestyle",
    "sampleDataFashion": "sample-data-fashion",
}
# German names have quotes and umlauts in them.
LANGUAGES = ("de-DE", "en-US", "en-GB")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


def _unquote(literal: str) -> str:
    """The value of a string literal of JavaScript."""
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.|\n))",
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else ESCAPES.get(m[3], m[3]),
        literal[1:-1],
    )


def _string(text: str, call: str) -> str | None:
    """The argument of `.call('...')`."""
    found = re.search(rf"\.{call}\(({STRING})\)", text)
    return _unquote(found[1]) if found else None


def _localized(text: str, call: str) -> str | None:
    """The text of `.call(...['en-US']('...')['de-DE']('...'))` in the first of our languages."""
    pair = rf"\['([\w-]+)'\]\(\s*({STRING})\s*\)"
    found = re.search(rf"\.{call}\(commons_1\.LocalizedStringDraft\.presets\s*\.empty\(\)", text)
    if not found:
        return None
    texts = {}
    at = found.end()
    while one := re.compile(rf"\s*{pair}").match(text, at):
        texts[one[1]] = _unquote(one[2])
        at = one.end()
    return next((texts[language] for language in LANGUAGES if language in texts), None)


class SampleCatalogue:
    """The package in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._dist = folder / "dist"

    def lines(self) -> Iterator[dict[str, object]]:
        """What an import line would hold for each variant of each product. A SKU or category that
        the vendor left out is left out here; no description is an empty one, no price is zero."""
        prices = self._standalone_prices()
        stocks = self._stocks()
        for file in self._files("product/product"):
            product = file.read_text()
            categories = re.findall(r"\bCategoryDraftPresets\.(\w+)\s*\.(\w+)\(\)", product)
            for preset, accessor in re.findall(
                r"ProductVariantDraftPresets\.(\w+)\.(\w+)\(\)", product
            ):
                variant = self._preset("product/product-variant", preset, accessor).read_text()
                sku = _string(variant, "sku")
                money = self._moneys(variant) or prices.get(sku or "", [])
                line: dict[str, object] = {"sku": sku, "name": _localized(product, "name")}
                line["description"] = _localized(product, "description") or ""
                line["category"] = self._category_key(*categories[0]) if categories else None
                # In the shop's currency where there is such a price.
                currency, amount = min(money, key=lambda m: m[0] != "USD", default=(None, 0))
                line |= {"currency": currency, "price_minor": amount}
                line["stock"] = stocks.get((preset, accessor), 0)
                line["status"] = "active" if ".publish(true)" in product else "draft"
                yield {name: value for name, value in line.items() if value is not None}

    def _files(self, kind: str) -> list[Path]:
        files = sorted((self._dist / kind).glob("*/*.js"))
        return [file for file in files if file.name != "index.js"]

    @cache  # noqa: B019 (one catalogue a run)
    def _index(self, kind: str, preset: str) -> dict[str, Path]:
        """Which file holds what an accessor of a preset builds."""
        folder = FOLDERS[preset]
        index = (self._dist / kind / folder / "index.js").read_text()
        files = dict(
            re.findall(r'const (\w+) = __importDefault\(require\("\./([\w.-]+)"\)\)', index)
        )
        return {
            accessor: self._dist / kind / folder / f"{files[variable]}.js"
            for accessor, variable in re.findall(r"\b(\w+): (\w+)\.default", index)
        }

    def _preset(self, kind: str, preset: str, accessor: str) -> Path:
        return self._index(kind, preset)[accessor]

    def _category_key(self, preset: str, accessor: str) -> str | None:
        return _string(self._preset("category", preset, accessor).read_text(), "key")

    def _moneys(self, text: str) -> list[tuple[str, int]]:
        found = re.findall(r"\.currencyCode\('([A-Z]{3})'\)\s*\.centAmount\((\d+)\)", text)
        return [(currency, int(amount)) for currency, amount in found]

    def _standalone_prices(self) -> dict[str, list[tuple[str, int]]]:
        prices: dict[str, list[tuple[str, int]]] = {}
        for file in self._files("standalone-price"):
            text = file.read_text()
            prices.setdefault(_string(text, "sku") or "", []).extend(self._moneys(text))
        return prices

    def _stocks(self) -> dict[tuple[str, str], int]:
        """What lies in all warehouses together, by preset and accessor of the variant."""
        stocks: dict[tuple[str, str], int] = {}
        for file in self._files("inventory-entry"):
            text = file.read_text()
            [key] = re.findall(r"ProductVariantDraftPresets\.(\w+)\s*\.(\w+)\(\)", text)
            [quantity] = re.findall(r"\.quantityOnStock\((\d+)\)", text)
            stocks[key] = stocks.get(key, 0) + int(quantity)
        return stocks
