// The yardstick's peer in Go: net/http + go-sql-driver. See ../README.md for what every peer must
// answer.
//
// Statements are prepared once at start (database/sql prepares them once a connection); without
// that the driver would prepare and close one for each request.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	columns = `p.id, p.sku, p.name, p.description, p.brand, c.category_key, p.price_minor,
		p.currency, p.stock, p.in_stock, IF(p.status = 0, 'active', 'draft'), p.version,
		p.created_at, p.updated_at`
	findSQL = `SELECT ` + columns + ` FROM products p JOIN categories c ON c.id = p.category_id
		WHERE p.id = ? AND p.listed = 1`
	listSQL = `SELECT STRAIGHT_JOIN ` + columns + `
		FROM products p FORCE INDEX (ix_products_newest) JOIN categories c ON c.id = p.category_id
		WHERE p.listed = 1 AND p.id < ? ORDER BY p.id DESC LIMIT ?`
	limitDefault = 20
	limitMax     = 100
	macBytes     = 16
)

type timestamp struct{ time.Time }

func (t timestamp) MarshalJSON() ([]byte, error) {
	return t.AppendFormat(make([]byte, 0, 32), `"2006-01-02T15:04:05.000Z"`), nil
}

type product struct {
	ID          int64     `json:"id"`
	SKU         string    `json:"sku"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Brand       *string   `json:"brand"`
	Category    string    `json:"category"`
	PriceMinor  int64     `json:"price_minor"`
	Currency    string    `json:"currency"`
	Stock       int64     `json:"stock"`
	InStock     bool      `json:"in_stock"`
	Status      string    `json:"status"`
	Version     int64     `json:"version"`
	CreatedAt   timestamp `json:"created_at"`
	UpdatedAt   timestamp `json:"updated_at"`
}

type page struct {
	Items      []product `json:"items"`
	NextCursor *string   `json:"next_cursor"`
}

type links struct {
	Products   string `json:"products"`
	Categories string `json:"categories"`
	Document   string `json:"document"`
	Docs       string `json:"docs"`
	Health     string `json:"health"`
}

type description struct {
	Service  string `json:"service"`
	Version  string `json:"version"`
	Currency string `json:"currency"`
	Links    links  `json:"links"`
}

type shop struct {
	find, list        *sql.Stmt
	cursorKey         []byte
	version, currency string
}

type scanner interface{ Scan(to ...any) error }

func (p *product) scan(row scanner) error {
	return row.Scan(&p.ID, &p.SKU, &p.Name, &p.Description, &p.Brand, &p.Category, &p.PriceMinor,
		&p.Currency, &p.Stock, &p.InStock, &p.Status, &p.Version, &p.CreatedAt.Time, &p.UpdatedAt.Time)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func answer(w http.ResponseWriter, status int, value any) {
	buffer := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buffer)
	buffer.Reset()
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		log.Print(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// Without it net/http would send a list in chunks.
	w.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	w.WriteHeader(status)
	w.Write(buffer.Bytes())
}

func refuse(w http.ResponseWriter, status int) {
	answer(w, status, map[string]any{"title": http.StatusText(status), "status": status})
}

func (s *shop) sign(id []byte) []byte {
	mac := hmac.New(sha256.New, s.cursorKey)
	mac.Write([]byte("products newest"))
	mac.Write(id)
	return mac.Sum(nil)[:macBytes]
}

func (s *shop) cursor(id int64) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(id))
	return base64.RawURLEncoding.EncodeToString(append(s.sign(raw), raw...))
}

func (s *shop) readCursor(text string) (int64, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != macBytes+8 || !hmac.Equal(raw[:macBytes], s.sign(raw[macBytes:])) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(raw[macBytes:])), true
}

func (s *shop) getLive(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

func (s *shop) getService(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, description{"cbu", s.version, s.currency,
		links{"/v1/products", "/v1/categories", "/openapi.json", "/docs", "/health/live"}})
}

func (s *shop) getProduct(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, http.StatusNotFound)
		return
	}
	var row product
	switch err := row.scan(s.find.QueryRowContext(r.Context(), id)); {
	case errors.Is(err, sql.ErrNoRows):
		refuse(w, http.StatusNotFound)
	case err != nil:
		log.Print(err)
		refuse(w, http.StatusServiceUnavailable)
	default:
		answer(w, http.StatusOK, &row)
	}
}

func (s *shop) readPage(ctx context.Context, before int64, limit int) (*page, error) {
	// One row more than shown tells whether there is a next page.
	rows, err := s.list.QueryContext(ctx, before, limit+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	result := page{Items: make([]product, 0, limit+1)}
	for rows.Next() {
		result.Items = append(result.Items, product{})
		if err := result.Items[len(result.Items)-1].scan(rows); err != nil {
			return nil, err
		}
	}
	if len(result.Items) > limit {
		result.Items = result.Items[:limit]
		next := s.cursor(result.Items[limit-1].ID)
		result.NextCursor = &next
	}
	return &result, rows.Err()
}

func (s *shop) getProducts(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, before := limitDefault, int64(math.MaxInt64)
	if text := query.Get("limit"); text != "" {
		value, err := strconv.Atoi(text)
		if err != nil || value < 1 || value > limitMax {
			refuse(w, http.StatusBadRequest)
			return
		}
		limit = value
	}
	if text := query.Get("cursor"); text != "" {
		value, good := s.readCursor(text)
		if !good {
			refuse(w, http.StatusBadRequest)
			return
		}
		before = value
	}
	result, err := s.readPage(r.Context(), before, limit)
	if err != nil {
		log.Print(err)
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusOK, result)
}

func setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func openDatabase() *sql.DB {
	config := mysql.NewConfig()
	config.Net = "unix"
	config.Addr = setting("DATABASE_SOCKET")
	config.User = setting("DATABASE_USER")
	config.Passwd = setting("DATABASE_PASSWORD")
	config.DBName = setting("DATABASE_NAME")
	config.ParseTime = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		log.Fatal(err)
	}
	connections, err := strconv.Atoi(setting("CONNECTIONS"))
	if err != nil {
		log.Fatal(err)
	}
	db := sql.OpenDB(connector)
	// The driver's documentation: as many idle ones as open ones, and a lifetime.
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(3 * time.Minute)
	return db
}

func prepare(db *sql.DB, text string) *sql.Stmt {
	statement, err := db.Prepare(text)
	if err != nil {
		log.Fatal(err)
	}
	return statement
}

func main() {
	db := openDatabase()
	s := &shop{find: prepare(db, findSQL), list: prepare(db, listSQL),
		cursorKey: []byte(setting("CURSOR_KEY")), version: setting("VERSION"), currency: setting("CURRENCY")}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health/live", s.getLive)
	routes.HandleFunc("GET /{$}", s.getService)
	routes.HandleFunc("GET /v1/products", s.getProducts)
	routes.HandleFunc("GET /v1/products/{id}", s.getProduct)
	server := http.Server{Addr: net.JoinHostPort("127.0.0.1", setting("PORT")), Handler: routes,
		ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		<-stopped
		server.Shutdown(context.Background())
		close(ended)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-ended
}
