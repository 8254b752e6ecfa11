"""The yardstick's peer in Python: FastAPI + SQLAlchemy + asyncmy on uvicorn. See ../README.md for
what every peer must answer."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, PlainSerializer
from sqlalchemy import URL, ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

LIMIT_DEFAULT = 20
LIMIT_MAX = 100
MAC_BYTES = 16
CURSOR_KEY = os.environ["CURSOR_KEY"].encode()
CONNECTIONS = int(os.environ["CONNECTIONS"])

engine = create_async_engine(
    URL.create(
        "mysql+asyncmy",
        username=os.environ["DATABASE_USER"],
        password=os.environ["DATABASE_PASSWORD"],
        host="localhost",
        database=os.environ["DATABASE_NAME"],
        query={"unix_socket": os.environ["DATABASE_SOCKET"], "charset": "utf8mb4"},
    ),
    pool_size=CONNECTIONS,
    max_overflow=0,
    # Nothing is written here: without these every request would end with a ROLLBACK of its own.
    isolation_level="AUTOCOMMIT",
    skip_autocommit_rollback=True,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


# ---- tables ----
class Base(DeclarativeBase):
    pass


class CategoryRow(Base):
    __tablename__ = "categories"
    id: Mapped[int] = mapped_column(primary_key=True)
    category_key: Mapped[str]


class ProductRow(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    brand: Mapped[str | None]
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    price_minor: Mapped[int]
    currency: Mapped[str]
    stock: Mapped[int]
    in_stock: Mapped[bool]
    status_number: Mapped[int] = mapped_column("status")
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    listed: Mapped[int]
    category_row: Mapped[CategoryRow] = relationship(lazy="raise")

    @property
    def category(self) -> str:
        return self.category_row.category_key

    @property
    def status(self) -> str:
        return "draft" if self.status_number else "active"


# ---- answers ----
def rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds") + "Z"


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class Product(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    sku: str
    name: str
    description: str
    brand: str | None
    category: str
    price_minor: int
    currency: str
    stock: int
    in_stock: bool
    status: str
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class Page(BaseModel):
    items: list[Product]
    next_cursor: str | None


class Links(BaseModel):
    products: str = "/v1/products"
    categories: str = "/v1/categories"
    document: str = "/openapi.json"
    docs: str = "/docs"
    health: str = "/health/live"


class Service(BaseModel):
    service: str = "cbu"
    version: str = os.environ["VERSION"]
    currency: str = os.environ["CURRENCY"]
    links: Links = Links()


class Live(BaseModel):
    status: str = "ok"


# ---- cursors ----
def sign(id_bytes: bytes) -> bytes:
    return hmac.digest(CURSOR_KEY, b"products newest" + id_bytes, "sha256")[:MAC_BYTES]


def write_cursor(id: int) -> str:
    raw = id.to_bytes(8, "big")
    return base64.urlsafe_b64encode(sign(raw) + raw).rstrip(b"=").decode()


def read_cursor(text: str) -> int:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    mac, id_bytes = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if len(id_bytes) != 8 or not hmac.compare_digest(mac, sign(id_bytes)):
        raise HTTPException(400)
    return int.from_bytes(id_bytes, "big")


# ---- routes ----
async def new_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(new_session)]


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/live")
async def get_live() -> Live:
    return Live()


@app.get("/")
async def get_service() -> Service:
    return Service()


@app.get("/v1/products/{id}")
async def get_product(id: int, session: Session) -> Product:
    statement = (
        select(ProductRow)
        .options(joinedload(ProductRow.category_row, innerjoin=True))
        .where(ProductRow.id == id, ProductRow.listed == 1)
    )
    row = await session.scalar(statement)
    if row is None:
        raise HTTPException(404)
    return Product.model_validate(row)


@app.get("/v1/products")
async def get_products(
    session: Session,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Page:
    statement = (
        select(ProductRow)
        .prefix_with("STRAIGHT_JOIN")
        .with_hint(ProductRow, "FORCE INDEX (ix_products_newest)")
        .options(joinedload(ProductRow.category_row, innerjoin=True))
        .where(ProductRow.listed == 1)
        .order_by(ProductRow.id.desc())
        # One row more than shown tells whether there is a next page.
        .limit(limit + 1)
    )
    if cursor is not None:
        statement = statement.where(ProductRow.id < read_cursor(cursor))
    rows = (await session.scalars(statement)).all()
    items = [Product.model_validate(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items=items, next_cursor=write_cursor(items[-1].id) if more else None)
