#include "common/aws/call.h"

#include "common/aws/answer.h"
#include "common/base/number.h"
#include "common/run/log.h"

#include <string.h>

#define HEADERS_MAX       32
#define RETRY_AFTER_MAX_S 3600
/* A pause is taken in pieces, since something more urgent may come up in it. */
#define PAUSE_PIECE_MS    50

const struct aws_limits aws_limits_default = {
    .attempts_max = 4,
    .connect_timeout_ms = 1000,
    .attempt_timeout_ms = 2500,
    .budget_ms = 5000,
    .pause_base_ms = 50,
    .pause_max_ms = 1000,
};

/* One call on its way. */
struct sending {
    struct aws_client *client;
    const struct aws_credentials *credentials;
    const struct aws_call *call;
    struct arena *arena;
    int64_t started_ms; /* monotonic */
    unsigned attempts;
    bool clock_corrected;
};

void aws_client_done(struct aws_client *client)
{
    sigv4_key_wipe(&client->key);
}

int64_t aws_client_now_s(const struct aws_client *client)
{
    return world_now_ms(client->world) / MS_PER_S + client->skew_s;
}

/* ---- decisions ---- */

static bool is_listed(struct slice code, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(code, list[i]))
            return true;
    return false;
}

/* Codes that pass by themselves, as botocore lists them (retries/standard.py): throttling, and what
 * it calls transient. The last one is Secrets Manager's own trouble. */
static bool is_passing(struct slice code)
{
    static const struct slice codes[] = {
        SLICE_INIT("Throttling"),
        SLICE_INIT("ThrottlingException"),
        SLICE_INIT("ThrottledException"),
        SLICE_INIT("RequestThrottledException"),
        SLICE_INIT("TooManyRequestsException"),
        SLICE_INIT("ProvisionedThroughputExceededException"),
        SLICE_INIT("TransactionInProgressException"),
        SLICE_INIT("RequestLimitExceeded"),
        SLICE_INIT("BandwidthLimitExceeded"),
        SLICE_INIT("LimitExceededException"),
        SLICE_INIT("RequestThrottled"),
        SLICE_INIT("SlowDown"),
        SLICE_INIT("PriorRequestNotComplete"),
        SLICE_INIT("EC2ThrottledException"),
        SLICE_INIT("RequestTimeout"),
        SLICE_INIT("RequestTimeoutException"),
        SLICE_INIT("InternalServiceError"),
    };
    return is_listed(code, ARRAY(codes));
}

/* Refusals that a wrong clock brings about. */
static bool is_clock_refusal(struct slice code)
{
    static const struct slice codes[] = {
        SLICE_INIT("RequestTimeTooSkewed"),      SLICE_INIT("RequestExpired"),
        SLICE_INIT("InvalidSignatureException"), SLICE_INIT("SignatureDoesNotMatch"),
        SLICE_INIT("RequestInTheFuture"),        SLICE_INIT("AuthFailure"),
    };
    return is_listed(code, ARRAY(codes));
}

enum call_next call_judge(const struct call_outcome *o)
{
    if (o->failure)
        return o->failure == &ERR_AWS_UNREACHABLE ? CALL_AGAIN : CALL_TAKE;
    bool clock_off =
        o->clock_off_s > CALL_CLOCK_OFF_MAX_S || o->clock_off_s < -CALL_CLOCK_OFF_MAX_S;
    /* A refused HEAD has no body, hence no code. */
    bool refused_without_code = o->status == 403 && o->code.len == 0;
    if (clock_off && (is_clock_refusal(o->code) || refused_without_code))
        return o->clock_corrected ? CALL_TAKE : CALL_AGAIN_CLOCK;
    if (o->status == 429 || o->status == 500 || (o->status >= 502 && o->status <= 504) ||
        (o->status >= 400 && is_passing(o->code)))
        return CALL_AGAIN;
    return CALL_TAKE;
}

int64_t call_pause_bound_ms(const struct aws_limits *limits, unsigned attempt)
{
    int64_t bound = limits->pause_base_ms;
    for (unsigned i = 0; i < attempt && bound < limits->pause_max_ms; i++)
        bound *= 2;
    return bound < limits->pause_max_ms ? bound : limits->pause_max_ms;
}

/* ---- one attempt ---- */

static struct slice host_of(struct slice base_url)
{
    const char *slashes = base_url.len > 0 ? memmem(base_url.ptr, base_url.len, "//", 2) : NULL;
    struct slice rest =
        slashes ? slice_after(base_url, (size_t)(slashes - base_url.ptr) + 2) : base_url;
    struct slice host = {0};
    slice_cut(&rest, '/', &host);
    return host;
}

static struct slice write_url(const struct aws_call *call, struct arena *arena)
{
    size_t bytes = call->base_url.len + call->path.len + 2;
    for (size_t i = 0; i < call->query_count; i++)
        bytes += 3 * (call->query[i].name.len + call->query[i].value.len) + 2;
    struct buf out = arena_buf(arena, bytes);
    buf_add(&out, call->base_url);
    buf_add(&out, call->path);
    for (size_t i = 0; i < call->query_count; i++) {
        buf_add_char(&out, (char)(i == 0 ? '?' : '&'));
        sigv4_uri_encode(&out, call->query[i].name, false);
        buf_add_char(&out, '=');
        sigv4_uri_encode(&out, call->query[i].value, false);
    }
    return out.full ? (struct slice){0} : buf_slice(&out);
}

static void add_header(struct aws_pair *headers, size_t *count, struct slice name,
                       struct slice value)
{
    headers[(*count)++] = (struct aws_pair){name, value};
}

/* The call's header fields and what signing adds; there is room for four more. */
static bool sign(const struct sending *s, int64_t now, struct aws_pair *headers, size_t *count,
                 struct err *err)
{
    const struct aws_call *call = s->call;
    struct buf hash = arena_buf(s->arena, 64);
    struct sigv4_signed made;
    if (!sigv4_hash_hex(call->body, &hash) || hash.full)
        return err_fail(err, &ERR_INTERNAL, "payload hash failed");
    const struct sigv4_request req = {
        .method = call->method,
        .host = host_of(call->base_url),
        .path = call->path,
        .query = call->query,
        .query_count = call->query_count,
        .headers = call->headers,
        .header_count = call->header_count,
        .payload_hash = buf_slice(&hash),
        .region = call->region,
        .service = slice_from_cstr(call->service),
        .rules = call->rules,
        .now = now,
    };
    if (!sigv4_sign_header(s->credentials, &req, &s->client->key, s->arena, &made, err))
        return false;
    add_header(headers, count, SLICE("x-amz-date"), made.date);
    add_header(headers, count, SLICE("Authorization"), made.authorization);
    if (s->credentials->session_token.len > 0)
        add_header(headers, count, SLICE("x-amz-security-token"), s->credentials->session_token);
    if (call->rules.payload_header)
        add_header(headers, count, SLICE("x-amz-content-sha256"), req.payload_hash);
    return true;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t left_ms(const struct sending *s)
{
    return s->client->limits.budget_ms - (world_monotonic_ms(s->client->world) - s->started_ms);
}

static bool send_once(const struct sending *s, int64_t now, struct http_answer *ret,
                      struct err *err)
{
    const struct aws_limits *limits = &s->client->limits;
    struct aws_pair headers[HEADERS_MAX + 4];
    size_t count = s->call->header_count;
    if (count > HEADERS_MAX)
        return err_fail(err, &ERR_INTERNAL, "%zu header fields", count);
    if (count > 0)
        memcpy(headers, s->call->headers, count * sizeof headers[0]);
    if (s->credentials && !sign(s, now, headers, &count, err))
        return false;
    int64_t left = left_ms(s);
    /* To libcurl, 0 is no limit. */
    int64_t timeout_ms = left < 1 ? 1 : smaller(limits->attempt_timeout_ms, left);
    const struct http_request req = {
        .method = s->call->method,
        .url = write_url(s->call, s->arena),
        .headers = headers,
        .header_count = count,
        .body = s->call->body,
        .answer_max = s->call->answer_max,
        .connect_timeout_ms = smaller(limits->connect_timeout_ms, timeout_ms),
        .timeout_ms = timeout_ms,
        .stop = s->client->stop,
    };
    if (!req.url.ptr)
        return err_fail(err, &ERR_INTERNAL, "address larger than the arena");
    return s->client->outside.fetch(s->client->outside.ctx, &req, s->arena, ret, err);
}

/* ---- the whole call ---- */

static struct call_outcome outcome_of(const struct sending *s, int64_t now,
                                      const struct http_answer *answer, const struct err *failure)
{
    if (failure->kind)
        return (struct call_outcome){.failure = failure->kind};
    int64_t date = answer_time_http(answer->date);
    return (struct call_outcome){
        .status = answer->status,
        .code =
            answer->status >= 400 ? answer_error_code(answer->body, s->arena) : (struct slice){0},
        /* Who is not asked with a signature is no judge of clocks: it may be any host. */
        .clock_off_s = date < 0 || !s->credentials ? 0 : date - now,
        .clock_corrected = s->clock_corrected,
    };
}

/* Full jitter, but at least what the service asks for. */
static int64_t pause_before_next_ms(const struct sending *s, const struct http_answer *answer)
{
    int64_t asked_s = 0;
    int64_t bound = call_pause_bound_ms(&s->client->limits, s->attempts);
    int64_t drawn = world_random_below(s->client->world, (uint32_t)bound + 1);
    if (number_parse_i64(answer->retry_after, 0, RETRY_AFTER_MAX_S, &asked_s) != NUMBER_OK)
        return drawn;
    return asked_s * MS_PER_S > drawn ? asked_s * MS_PER_S : drawn;
}

static void pause_for(const struct sending *s, int64_t ms)
{
    const struct http_outside *outside = &s->client->outside;
    for (; ms > 0 && !http_stop_is_asked(s->client->stop); ms -= PAUSE_PIECE_MS)
        outside->pause_ms(outside->ctx, smaller(ms, PAUSE_PIECE_MS));
}

/* Does what `next` says before another attempt; false when there is no attempt or time left. */
static bool prepare_next(struct sending *s, enum call_next next, int64_t clock_off_s,
                         const struct http_answer *answer)
{
    if (next == CALL_TAKE || s->attempts >= s->client->limits.attempts_max)
        return false;
    if (next == CALL_AGAIN_CLOCK) {
        s->client->skew_s += clock_off_s;
        s->clock_corrected = true;
        return left_ms(s) > 0;
    }
    int64_t pause_ms = pause_before_next_ms(s, answer);
    if (pause_ms >= left_ms(s))
        return false;
    pause_for(s, pause_ms);
    return left_ms(s) > 0;
}

static void log_call(const struct sending *s, const struct http_answer *answer,
                     const struct call_outcome *outcome, const struct err *failure)
{
    bool good = !failure->kind &&
                (answer->status < 300 ||
                 (outcome->code.len > 0 && slice_equal(outcome->code, s->call->usual_code)));
    /* Whoever answers an unsigned call is no service of AWS: its words are anybody's. */
    struct slice message = s->credentials && answer->status >= 400
                               ? answer_error_message(answer->body, s->arena)
                               : (struct slice){0};
    LOG_EVENT(good ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "aws.call",
              KV_STR("service", s->call->service), KV_STR("operation", s->call->operation),
              KV_SLICE("region", s->call->region), KV_SLICE("resource", s->call->resource),
              KV_I64("status", answer->status), KV_SLICE("code", outcome->code),
              KV_SLICE("message", message), KV_I64("attempts", s->attempts),
              KV_I64("duration_ms", world_monotonic_ms(s->client->world) - s->started_ms),
              KV_SLICE("aws_request_id", answer->request_id),
              KV_SLICE("aws_extended_id", answer->extended_id), KV_STR("cause", failure->cause));
}

bool aws_call_send(struct aws_client *client, const struct aws_credentials *credentials,
                   const struct aws_call *call, struct arena *arena, struct http_answer *ret,
                   struct err *err)
{
    struct sending s = {client, credentials, call, arena, world_monotonic_ms(client->world),
                        0,      false};
    size_t mark = arena->used;
    for (;;) {
        struct http_answer answer = {0};
        struct err failure = {0};
        int64_t now = aws_client_now_s(client);
        s.attempts++;
        if (http_stop_is_asked(client->stop))
            err_fail(&failure, &ERR_AWS_INTERRUPTED, "given up for something more urgent");
        else
            (void)!send_once(&s, now, &answer, &failure);
        struct call_outcome outcome = outcome_of(&s, now, &answer, &failure);
        if (prepare_next(&s, call_judge(&outcome), outcome.clock_off_s, &answer)) {
            /* Attempts share their memory; what an answer held may have been a secret. */
            explicit_bzero(arena->base + mark, arena->used - mark);
            arena->used = mark;
            continue;
        }
        log_call(&s, &answer, &outcome, &failure);
        if (failure.kind)
            return err_fail(err, failure.kind, "%s: %s", call->operation, failure.cause);
        *ret = answer;
        return true;
    }
}
