#include "common/aws/sigv4.h"

#include "common/aws/sigv4_check.h"
#include "common/base/hex.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM    "AWS4-HMAC-SHA256"
#define HASH_BYTES   32
/* What signing adds to a request. */
#define HEADERS_MORE 4
#define QUERY_MORE   6

const struct sigv4_rules sigv4_rules_s3 = {.payload_header = true};
const struct sigv4_rules sigv4_rules_other = {.normalize_path = true, .encode_path = true};

struct hash {
    unsigned char bytes[HASH_BYTES];
};

static void hash_wipe(struct hash *h)
{
    OPENSSL_cleanse(h->bytes, sizeof h->bytes);
}

/* One signature on its way. */
struct signer {
    const struct aws_credentials *credentials;
    const struct sigv4_request *req;
    struct arena *arena;
    char day[9], time[17];    /* 20150830, 20150830T123600Z */
    struct aws_pair *headers; /* sorted */
    size_t header_count, header_max;
    struct aws_pair *query; /* encoded */
    size_t query_count, query_max;
    bool full; /* sticky: something did not fit, so nothing may be signed any more */
};

/* What was built; every text of a signature goes through here, so that one that does not fit is
 * never signed as an empty one. */
static struct slice built(struct signer *s, const struct buf *out)
{
    s->full = s->full || out->full;
    return s->full ? (struct slice){0} : buf_slice(out);
}

void sigv4_key_wipe(struct sigv4_key *key)
{
    OPENSSL_cleanse(key, sizeof *key);
}

bool sigv4_hash_hex(struct slice bytes, struct buf *out)
{
    struct hash h;
    if (EVP_Digest(bytes.len > 0 ? bytes.ptr : "", bytes.len, h.bytes, NULL, EVP_sha256(), NULL) !=
        1)
        return false;
    hex_add(out, (struct slice){(const char *)h.bytes, sizeof h.bytes});
    return true;
}

void sigv4_uri_encode(struct buf *out, struct slice text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned char byte = (unsigned char)c;
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash))
            buf_add_char(out, c);
        else
            buf_add(out, (struct slice){(char[]){'%', digits[byte >> 4], digits[byte & 15]}, 3});
    }
}

static bool set_time(struct signer *s, int64_t now)
{
    struct tm utc;
    time_t seconds = (time_t)now;
    return now >= 0 && gmtime_r(&seconds, &utc) && utc.tm_year + 1900 <= 9999 &&
           strftime(s->day, sizeof s->day, "%Y%m%d", &utc) == sizeof s->day - 1 &&
           strftime(s->time, sizeof s->time, "%Y%m%dT%H%M%SZ", &utc) == sizeof s->time - 1;
}

/* ---- canonical parts ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks at both ends, and runs of blanks folded into one. */
static struct slice fold_blanks(struct signer *s, struct slice value)
{
    struct buf out = arena_buf(s->arena, value.len + 1);
    for (size_t i = 0; i < value.len; i++) {
        if (!is_blank(value.ptr[i]))
            buf_add_char(&out, value.ptr[i]);
        else if (out.len > 0 && out.ptr[out.len - 1] != ' ')
            buf_add_char(&out, ' ');
    }
    if (out.len > 0 && out.ptr[out.len - 1] == ' ')
        out.len--;
    return built(s, &out);
}

static struct slice lower_case(struct signer *s, struct slice name)
{
    struct buf out = arena_buf(s->arena, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        buf_add_char(&out, (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32
                                                                           : name.ptr[i]));
    return built(s, &out);
}

/* Fields that a client library or a proxy on the way may change, so that a signature over them
 * would break. */
static bool is_signed(struct slice lower_name)
{
    static const struct slice unsigned_names[] = {
        SLICE_INIT("expect"), SLICE_INIT("transfer-encoding"), SLICE_INIT("user-agent"),
        SLICE_INIT("x-amzn-trace-id")};
    for (size_t i = 0; i < COUNT(unsigned_names); i++)
        if (slice_equal(lower_name, unsigned_names[i]))
            return false;
    return true;
}

static int compare_slices(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* A stable order: fields of one name keep the order in which they are sent. */
static void insert_header(struct signer *s, struct slice name, struct slice value)
{
    struct aws_pair made = {lower_case(s, name), fold_blanks(s, value)};
    s->full = s->full || s->header_count == s->header_max;
    if (s->full || !is_signed(made.name))
        return;
    size_t at = s->header_count++;
    while (at > 0 && compare_slices(s->headers[at - 1].name, made.name) > 0) {
        s->headers[at] = s->headers[at - 1];
        at--;
    }
    s->headers[at] = made;
}

static struct slice encoded(struct signer *s, struct slice text)
{
    struct buf out = arena_buf(s->arena, 3 * text.len + 1);
    sigv4_uri_encode(&out, text, false);
    return built(s, &out);
}

static void add_query(struct signer *s, struct slice name, struct slice value)
{
    struct aws_pair made = {encoded(s, name), encoded(s, value)};
    s->full = s->full || s->query_count == s->query_max;
    if (!s->full)
        s->query[s->query_count++] = made;
}

static int by_name_then_value(const void *a, const void *b)
{
    const struct aws_pair *left = a, *right = b;
    int order = compare_slices(left->name, right->name);
    return order != 0 ? order : compare_slices(left->value, right->value);
}

static void write_query(struct signer *s, struct buf *out)
{
    if (s->full)
        return;
    qsort(s->query, s->query_count, sizeof s->query[0], by_name_then_value);
    for (size_t i = 0; i < s->query_count; i++) {
        if (i > 0)
            buf_add_char(out, '&');
        buf_add(out, s->query[i].name);
        buf_add_char(out, '=');
        buf_add(out, s->query[i].value);
    }
}

/* RFC 3986 section 5.2.4 as AWS means it: "." and empty segments vanish, ".." takes the one before
 * with it; a slash at the end stays. */
static struct slice normalize_path(struct signer *s, struct slice path)
{
    struct buf out = arena_buf(s->arena, path.len + 1);
    struct slice rest = path, segment;
    bool ends_with_slash = path.len > 0 && path.ptr[path.len - 1] == '/';
    while (slice_cut(&rest, '/', &segment)) {
        if (segment.len == 0 || slice_equal(segment, SLICE(".")))
            continue;
        if (slice_equal(segment, SLICE(".."))) {
            while (out.len > 0 && out.ptr[--out.len] != '/')
                ;
            continue;
        }
        buf_add_char(&out, '/');
        buf_add(&out, segment);
    }
    if (out.len == 0 || ends_with_slash)
        buf_add_char(&out, '/');
    return built(s, &out);
}

static struct slice canonical_path(struct signer *s)
{
    struct slice path = s->req->path.len > 0 ? s->req->path : SLICE("/");
    if (s->req->rules.normalize_path)
        path = normalize_path(s, path);
    if (!s->req->rules.encode_path)
        return path;
    struct buf out = arena_buf(s->arena, 3 * path.len + 1);
    sigv4_uri_encode(&out, path, true);
    return built(s, &out);
}

static struct slice signed_headers(struct signer *s)
{
    size_t bytes = 1;
    for (size_t i = 0; i < s->header_count; i++)
        bytes += s->headers[i].name.len + 1;
    struct buf out = arena_buf(s->arena, bytes);
    for (size_t i = 0; i < s->header_count; i++) {
        if (i > 0 && slice_equal(s->headers[i].name, s->headers[i - 1].name))
            continue;
        if (i > 0)
            buf_add_char(&out, ';');
        buf_add(&out, s->headers[i].name);
    }
    return built(s, &out);
}

/* "name:value\n" a name; the values of a repeated field are joined by commas. */
static void write_headers(const struct signer *s, struct buf *out)
{
    for (size_t i = 0; i < s->header_count; i++) {
        bool repeated = i > 0 && slice_equal(s->headers[i].name, s->headers[i - 1].name);
        if (!repeated) {
            buf_add(out, i > 0 ? SLICE("\n") : SLICE(""));
            buf_add(out, s->headers[i].name);
        }
        buf_add_char(out, (char)(repeated ? ',' : ':'));
        buf_add(out, s->headers[i].value);
    }
    buf_add_char(out, '\n');
}

static size_t canonical_bytes(const struct signer *s)
{
    size_t bytes = s->req->method.len + 3 * s->req->path.len + s->req->payload_hash.len + 64;
    for (size_t i = 0; i < s->query_count; i++)
        bytes += s->query[i].name.len + s->query[i].value.len + 2;
    for (size_t i = 0; i < s->header_count; i++)
        bytes += 2 * s->headers[i].name.len + s->headers[i].value.len + 3;
    return bytes;
}

static struct slice canonical_request(struct signer *s, struct slice signed_names)
{
    struct buf out = arena_buf(s->arena, canonical_bytes(s));
    buf_add(&out, s->req->method);
    buf_add_char(&out, '\n');
    buf_add(&out, canonical_path(s));
    buf_add_char(&out, '\n');
    write_query(s, &out);
    buf_add_char(&out, '\n');
    write_headers(s, &out);
    buf_add_char(&out, '\n');
    buf_add(&out, signed_names);
    buf_add_char(&out, '\n');
    buf_add(&out, s->req->payload_hash);
    return built(s, &out);
}

static struct slice credential_scope(struct signer *s)
{
    struct buf out = arena_buf(s->arena, s->req->region.len + s->req->service.len + 32);
    buf_add_cstr(&out, s->day);
    buf_add_char(&out, '/');
    buf_add(&out, s->req->region);
    buf_add_char(&out, '/');
    buf_add(&out, s->req->service);
    buf_add(&out, SLICE("/aws4_request"));
    return built(s, &out);
}

static bool string_to_sign(struct signer *s, struct slice canonical, struct slice *ret)
{
    struct slice scope = credential_scope(s);
    struct buf out = arena_buf(s->arena, scope.len + 128);
    buf_add(&out, SLICE(ALGORITHM "\n"));
    buf_add_cstr(&out, s->time);
    buf_add_char(&out, '\n');
    buf_add(&out, scope);
    buf_add_char(&out, '\n');
    bool good = sigv4_hash_hex(canonical, &out);
    *ret = built(s, &out);
    return good && !s->full;
}

/* ---- keys ---- */

static bool hmac(const void *key, size_t key_len, struct slice text, struct hash *ret)
{
    unsigned length = 0;
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.ptr, text.len,
                ret->bytes, &length) &&
           length == HASH_BYTES;
}

/* What a key was derived from, as a hash, so that remembering it remembers no secret. */
static bool key_origin(const struct signer *s, struct hash *ret)
{
    const struct slice parts[] = {s->credentials->secret_key, slice_from_cstr(s->day),
                                  s->req->region, s->req->service};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < COUNT(parts); i++)
        good = EVP_DigestUpdate(context, &parts[i].len, sizeof parts[i].len) == 1 &&
               EVP_DigestUpdate(context, parts[i].len > 0 ? parts[i].ptr : "", parts[i].len) == 1;
    good = good && EVP_DigestFinal_ex(context, ret->bytes, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static bool derive_key(const struct signer *s, struct hash *ret)
{
    CLEANUP(hash_wipe) struct hash day, region, service;
    struct buf first = arena_buf(s->arena, s->credentials->secret_key.len + 4);
    buf_add(&first, SLICE("AWS4"));
    buf_add(&first, s->credentials->secret_key);
    if (first.full)
        return false;
    bool good = hmac(first.ptr, first.len, slice_from_cstr(s->day), &day) &&
                hmac(day.bytes, HASH_BYTES, s->req->region, &region) &&
                hmac(region.bytes, HASH_BYTES, s->req->service, &service) &&
                hmac(service.bytes, HASH_BYTES, SLICE("aws4_request"), ret);
    OPENSSL_cleanse(first.ptr, first.len);
    return good;
}

static bool ensure_key(const struct signer *s, struct sigv4_key *key)
{
    CLEANUP(hash_wipe) struct hash made = {0};
    struct hash origin;
    if (!key_origin(s, &origin))
        return false;
    if (key->set && CRYPTO_memcmp(key->origin, origin.bytes, HASH_BYTES) == 0)
        return true;
    if (!derive_key(s, &made))
        return false;
    memcpy(key->origin, origin.bytes, HASH_BYTES);
    memcpy(key->bytes, made.bytes, HASH_BYTES);
    key->set = true;
    return true;
}

/* ---- the two forms ---- */

static bool sign(struct signer *s, struct sigv4_key *key, struct sigv4_signed *ret)
{
    struct hash mac;
    struct buf signature = arena_buf(s->arena, sizeof mac.bytes * 2);
    if (!ret->signed_headers.ptr)
        ret->signed_headers = signed_headers(s);
    if (s->full)
        return false;
    ret->canonical_request = canonical_request(s, ret->signed_headers);
    if (s->full || !string_to_sign(s, ret->canonical_request, &ret->string_to_sign) ||
        !ensure_key(s, key) || !hmac(key->bytes, HASH_BYTES, ret->string_to_sign, &mac))
        return false;
    hex_add(&signature, (struct slice){(const char *)mac.bytes, HASH_BYTES});
    ret->signature = built(s, &signature);
    ret->date = arena_copy(s->arena, slice_from_cstr(s->time));
    return !s->full && ret->date.ptr;
}

/* Room for what the request has and signing adds. */
static void make_room(struct signer *s)
{
    s->header_max = s->req->header_count + HEADERS_MORE;
    s->query_max = s->req->query_count + QUERY_MORE;
    s->headers = arena_alloc(s->arena, s->header_max, sizeof s->headers[0]);
    s->query = arena_alloc(s->arena, s->query_max, sizeof s->query[0]);
    s->full = !s->headers || !s->query;
}

static bool start(struct signer *s, const struct aws_credentials *credentials,
                  const struct sigv4_request *req, bool query_form, struct arena *arena,
                  struct err *err)
{
    const char *fault = sigv4_fault(req, query_form);
    *s = (struct signer){.credentials = credentials, .req = req, .arena = arena};
    if (fault)
        return err_fail(err, &ERR_INTERNAL, "sigv4: %s", fault);
    make_room(s);
    if (!set_time(s, req->now))
        return err_fail(err, &ERR_INTERNAL, "sigv4: the clock shows no time of this era");
    insert_header(s, SLICE("host"), req->host);
    for (size_t i = 0; i < req->header_count; i++)
        insert_header(s, req->headers[i].name, req->headers[i].value);
    for (size_t i = 0; i < req->query_count; i++)
        add_query(s, req->query[i].name, req->query[i].value);
    return true;
}

static bool fail(struct err *err)
{
    return err_fail(err, &ERR_INTERNAL, "sigv4: too large, or OpenSSL failed");
}

bool sigv4_sign_header(const struct aws_credentials *credentials, const struct sigv4_request *req,
                       struct sigv4_key *key, struct arena *arena, struct sigv4_signed *ret,
                       struct err *err)
{
    struct signer s;
    struct sigv4_signed made = {0};
    if (!start(&s, credentials, req, false, arena, err))
        return false;
    insert_header(&s, SLICE("x-amz-date"), slice_from_cstr(s.time));
    if (credentials->session_token.len > 0)
        insert_header(&s, SLICE("x-amz-security-token"), credentials->session_token);
    if (req->rules.payload_header)
        insert_header(&s, SLICE("x-amz-content-sha256"), req->payload_hash);
    if (!sign(&s, key, &made))
        return fail(err);
    struct slice scope = credential_scope(&s);
    struct buf out = arena_buf(arena, credentials->access_key.len + scope.len +
                                          made.signed_headers.len + made.signature.len + 96);
    buf_add(&out, SLICE(ALGORITHM " Credential="));
    buf_add(&out, credentials->access_key);
    buf_add_char(&out, '/');
    buf_add(&out, scope);
    buf_add(&out, SLICE(", SignedHeaders="));
    buf_add(&out, made.signed_headers);
    buf_add(&out, SLICE(", Signature="));
    buf_add(&out, made.signature);
    made.authorization = built(&s, &out);
    if (s.full)
        return fail(err);
    *ret = made;
    return true;
}

static struct slice credential_parameter(struct signer *s)
{
    struct slice scope = credential_scope(s);
    struct buf out = arena_buf(s->arena, s->credentials->access_key.len + scope.len + 1);
    buf_add(&out, s->credentials->access_key);
    buf_add_char(&out, '/');
    buf_add(&out, scope);
    return built(s, &out);
}

static void add_signing_parameters(struct signer *s, struct slice signed_names)
{
    char digits[24];
    struct buf expires = BUF(digits);
    buf_add_i64(&expires, s->req->expires_s);
    add_query(s, SLICE("X-Amz-Algorithm"), SLICE(ALGORITHM));
    add_query(s, SLICE("X-Amz-Credential"), credential_parameter(s));
    add_query(s, SLICE("X-Amz-Date"), slice_from_cstr(s->time));
    add_query(s, SLICE("X-Amz-Expires"), buf_slice(&expires));
    add_query(s, SLICE("X-Amz-SignedHeaders"), signed_names);
    if (s->credentials->session_token.len > 0)
        add_query(s, SLICE("X-Amz-Security-Token"), s->credentials->session_token);
}

static struct slice write_url(struct signer *s, struct slice signature)
{
    struct buf out = arena_buf(s->arena, s->req->scheme.len + s->req->host.len +
                                             canonical_bytes(s) + signature.len + 64);
    buf_add(&out, s->req->scheme);
    buf_add(&out, SLICE("://"));
    buf_add(&out, s->req->host);
    buf_add(&out, s->req->path.len > 0 ? s->req->path : SLICE("/"));
    buf_add_char(&out, '?');
    write_query(s, &out);
    buf_add(&out, SLICE("&X-Amz-Signature="));
    buf_add(&out, signature);
    return built(s, &out);
}

bool sigv4_sign_query(const struct aws_credentials *credentials, const struct sigv4_request *req,
                      struct sigv4_key *key, struct arena *arena, struct sigv4_signed *ret,
                      struct err *err)
{
    struct signer s;
    struct sigv4_signed made = {0};
    if (!start(&s, credentials, req, true, arena, err))
        return false;
    made.signed_headers = signed_headers(&s);
    add_signing_parameters(&s, made.signed_headers);
    if (!sign(&s, key, &made))
        return fail(err);
    made.url = write_url(&s, made.signature);
    if (s.full)
        return fail(err);
    *ret = made;
    return true;
}
