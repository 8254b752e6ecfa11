//! The yardstick's peer in Rust: axum + sqlx. See ../README.md for what every peer must answer.
//!
//! sqlx prepares each statement once a connection and keeps it, which is its default.

use std::{env, str::FromStr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::NaiveDateTime;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, Serializer};
use sha2::Sha256;
use sqlx::{
    FromRow, MySqlPool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

macro_rules! columns {
    () => {
        "p.id, p.sku, p.name, p.description, p.brand, c.category_key AS category, p.price_minor, \
         p.currency, p.stock, p.in_stock, IF(p.status = 0, 'active', 'draft') AS status, \
         p.version, p.created_at, p.updated_at"
    };
}
const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM products p JOIN categories c ON c.id = p.category_id WHERE p.id = ? AND p.listed = 1"
);
const LIST: &str = concat!(
    "SELECT STRAIGHT_JOIN ",
    columns!(),
    " FROM products p FORCE INDEX (ix_products_newest) JOIN categories c ON c.id = p.category_id",
    " WHERE p.listed = 1 AND p.id < ? ORDER BY p.id DESC LIMIT ?"
);
const LIMIT_DEFAULT: i64 = 20;
const LIMIT_MAX: i64 = 100;
const MAC_BYTES: usize = 16;

#[derive(FromRow, Serialize)]
struct Product {
    id: i64,
    sku: String,
    name: String,
    description: String,
    brand: Option<String>,
    category: String,
    price_minor: i64,
    currency: String,
    stock: i64,
    in_stock: bool,
    status: String,
    version: i64,
    #[serde(serialize_with = "rfc3339")]
    created_at: NaiveDateTime,
    #[serde(serialize_with = "rfc3339")]
    updated_at: NaiveDateTime,
}

fn rfc3339<S: Serializer>(at: &NaiveDateTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&at.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
}

#[derive(Serialize)]
struct Page {
    items: Vec<Product>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Service<'a> {
    service: &'a str,
    version: &'a str,
    currency: &'a str,
    links: Links<'a>,
}

#[derive(Serialize)]
struct Links<'a> {
    products: &'a str,
    categories: &'a str,
    document: &'a str,
    docs: &'a str,
    health: &'a str,
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

struct Shop {
    pool: MySqlPool,
    cursor_key: Hmac<Sha256>,
    version: String,
    currency: String,
}

type Shared = State<Arc<Shop>>;

struct Failure(StatusCode);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Problem {
            title: &'static str,
            status: u16,
        }
        let title = self.0.canonical_reason().unwrap_or("Error");
        (self.0, Json(Problem { title, status: self.0.as_u16() })).into_response()
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("database: {error}");
        Failure(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl Shop {
    fn sign(&self, id: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.cursor_key.clone();
        mac.update(b"products newest");
        mac.update(id);
        mac
    }

    fn cursor(&self, id: i64) -> String {
        let id = id.to_be_bytes();
        let mac = self.sign(&id).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&mac[..MAC_BYTES], &id].concat())
    }

    fn read_cursor(&self, text: &str) -> Option<i64> {
        let raw = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mac, id) = raw.split_at_checked(MAC_BYTES)?;
        let id: [u8; 8] = id.try_into().ok()?;
        self.sign(&id).verify_truncated_left(mac).ok()?;
        Some(i64::from_be_bytes(id))
    }
}

async fn live() -> Json<Live> {
    Json(Live { status: "ok" })
}

async fn service(State(shop): Shared) -> Response {
    let links = Links {
        products: "/v1/products",
        categories: "/v1/categories",
        document: "/openapi.json",
        docs: "/docs",
        health: "/health/live",
    };
    Json(Service { service: "cbu", version: &shop.version, currency: &shop.currency, links })
        .into_response()
}

async fn find(State(shop): Shared, Path(id): Path<i64>) -> Result<Json<Product>, Failure> {
    sqlx::query_as(FIND)
        .bind(id)
        .fetch_optional(&shop.pool)
        .await?
        .map(Json)
        .ok_or(Failure(StatusCode::NOT_FOUND))
}

async fn list(
    State(shop): Shared,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page>, Failure> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    let before = match &query.cursor {
        Some(text) => shop.read_cursor(text).ok_or(Failure(StatusCode::BAD_REQUEST))?,
        None => i64::MAX,
    };
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Failure(StatusCode::BAD_REQUEST));
    }
    // One row more than shown tells whether there is a next page.
    let mut items: Vec<Product> =
        sqlx::query_as(LIST).bind(before).bind(limit + 1).fetch_all(&shop.pool).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(|last| shop.cursor(last.id));
    Ok(Json(Page { items, next_cursor }))
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

#[tokio::main]
async fn main() {
    let database = MySqlConnectOptions::new()
        .socket(setting("DATABASE_SOCKET"))
        .username(&setting("DATABASE_USER"))
        .password(&setting("DATABASE_PASSWORD"))
        .database(&setting("DATABASE_NAME"));
    let connections = u32::from_str(&setting("CONNECTIONS")).expect("CONNECTIONS is a number");
    let pool = MySqlPoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        // A ping before each statement would double the round trips.
        .test_before_acquire(false)
        .connect_lazy_with(database);
    let cursor_key =
        Hmac::new_from_slice(setting("CURSOR_KEY").as_bytes()).expect("any length will do");
    let shop = Shop { pool, cursor_key, version: setting("VERSION"), currency: setting("CURRENCY") };
    let routes = Router::new()
        .route("/health/live", get(live))
        .route("/", get(service))
        .route("/v1/products", get(list))
        .route("/v1/products/{id}", get(find))
        .with_state(Arc::new(shop));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", setting("PORT")))
        .await
        .expect("the port is free")
        .tap_io(|connection| connection.set_nodelay(true).expect("a TCP connection"));
    let stopped = async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .expect("a signal handler");
        term.recv().await;
    };
    axum::serve(listener, routes)
        .with_graceful_shutdown(stopped)
        .await
        .expect("serving");
}
