#include "common/aws/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* All header fields of one answer together; AWS sends about 500 bytes. */
#define HEADERS_MAX     KIB(32)
#define HEADER_LINE_MAX KIB(16)
#define IDLE_MAX_S      50 /* AWS closes connections that are idle for longer than about a minute */
/* How often a request looks whether it shall be given up. */
#define STOP_LOOK_MS    50

struct http_client {
    CURLM *multi; /* keeps the connections, and lets us look up between two waits */
    CURL *curl;
    const char *ca_file;
    char error[CURL_ERROR_SIZE];
};

/* One answer on its way in. */
struct transfer {
    struct arena *arena;
    struct http_answer answer;
    struct buf body;
    size_t header_bytes;
    bool headers_full;
};

struct http_client *http_client_open(const char *ca_file, struct err *err)
{
    struct http_client *client = calloc(1, sizeof *client);
    bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (client && started) {
        client->multi = curl_multi_init();
        client->curl = curl_easy_init();
    }
    if (client && client->multi && client->curl) {
        client->ca_file = ca_file;
        return client;
    }
    if (client) {
        curl_easy_cleanup(client->curl);
        curl_multi_cleanup(client->multi);
    }
    free(client);
    if (started)
        curl_global_cleanup();
    err_fail(err, &ERR_INTERNAL, "libcurl did not start");
    return NULL;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_multi_cleanup(client->multi);
    curl_global_cleanup();
    free(client);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says what it is. */
static size_t on_body(char *bytes, size_t size, size_t count, void *of)
{
    struct transfer *t = of;
    (void)size; /* always 1 */
    buf_add(&t->body, (struct slice){bytes, count});
    return t->body.full ? 0 : count; /* anything but `count` ends the transfer */
}

static void keep_field(struct transfer *t, struct slice name, struct slice value)
{
    struct http_answer *a = &t->answer;
    const struct {
        struct slice name, *at;
    } wanted[] = {{SLICE("date"), &a->date},
                  {SLICE("retry-after"), &a->retry_after},
                  {SLICE("x-amzn-requestid"), &a->request_id},
                  {SLICE("x-amz-request-id"), &a->request_id},
                  {SLICE("x-amz-id-2"), &a->extended_id}};
    for (size_t i = 0; i < COUNT(wanted); i++)
        if (slice_equal_ignore_case(name, wanted[i].name))
            *wanted[i].at = arena_copy(t->arena, value);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as above. */
static size_t on_header(char *bytes, size_t size, size_t count, void *of)
{
    struct transfer *t = of;
    struct slice value = {bytes, count}, name = {0};
    (void)size; /* always 1 */
    t->header_bytes += count;
    t->headers_full = t->header_bytes > HEADERS_MAX;
    if (t->headers_full)
        return 0;
    if (slice_starts_with(value, SLICE("HTTP/"))) { /* of an answer behind "100 Continue" */
        t->answer = (struct http_answer){0};
        return count;
    }
    while (value.len > 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    if (slice_cut(&value, ':', &name) && value.ptr)
        keep_field(t, slice_trim(name), slice_trim(value));
    return count;
}

/* ---- the request ---- */

/* A line break in a value would be a header field of someone else's choice. */
static bool is_one_line(struct slice text)
{
    return !slice_contains_byte(text, '\r') && !slice_contains_byte(text, '\n') &&
           !slice_contains_byte(text, '\0');
}

static bool add_field(struct curl_slist **list, const struct aws_pair *field)
{
    char line[HEADER_LINE_MAX];
    struct buf out = BUF(line);
    if (!is_one_line(field->name) || !is_one_line(field->value))
        return false;
    buf_add(&out, field->name);
    /* libcurl leaves "name:" out altogether; "name;" sends it with an empty value. */
    buf_add(&out, field->value.len > 0 ? SLICE(": ") : SLICE(";"));
    buf_add(&out, field->value);
    struct curl_slist *longer = buf_cstr(&out) ? curl_slist_append(*list, line) : NULL;
    explicit_bzero(line, out.len); /* the container's token may have been in it */
    *list = longer ? longer : *list;
    return longer != NULL;
}

/* The list is wiped with its memory: header fields carry tokens. */
static void free_fields(struct curl_slist **list)
{
    for (struct curl_slist *each = *list; each; each = each->next)
        explicit_bzero(each->data, strlen(each->data));
    curl_slist_free_all(*list);
}

static bool add_fields(struct curl_slist **list, const struct http_request *req)
{
    *list = curl_slist_append(NULL, "Expect:"); /* libcurl would wait for a "100 Continue" */
    for (size_t i = 0; *list && i < req->header_count; i++)
        if (!add_field(list, &req->headers[i]))
            return false;
    return *list != NULL;
}

static void set_body(CURL *curl, const struct http_request *req)
{
    if (slice_equal(req->method, SLICE("HEAD"))) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (!slice_equal(req->method, SLICE("GET"))) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, req->body.len > 0 ? req->body.ptr : "");
    }
}

static void set_safety(struct http_client *client)
{
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_file) { /* in place of the system's authorities, which have a folder as well */
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* the signature is over the path as given */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
    client->error[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
}

static void set_request(CURL *curl, const struct http_request *req, const char *url,
                        const char *method, struct curl_slist *fields, struct transfer *t)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    set_body(curl, req);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
}

/* ---- what came of it ---- */

/* Failures that another attempt would only meet again. */
static bool is_final(CURLcode code)
{
    static const CURLcode final[] = {
        CURLE_URL_MALFORMAT,      CURLE_UNSUPPORTED_PROTOCOL, CURLE_PEER_FAILED_VERIFICATION,
        CURLE_SSL_CACERT_BADFILE, CURLE_WEIRD_SERVER_REPLY,   CURLE_BAD_FUNCTION_ARGUMENT,
    };
    for (size_t i = 0; i < COUNT(final); i++)
        if (final[i] == code)
            return true;
    return false;
}

static bool fail(const struct http_client *client, const struct http_request *req,
                 const struct transfer *t, CURLcode code, struct err *err)
{
    if (t->body.full)
        return err_fail(err, &ERR_AWS_ANSWER, "body of more than %zu bytes", req->answer_max);
    if (t->headers_full)
        return err_fail(err, &ERR_AWS_ANSWER, "header of more than %zu bytes", HEADERS_MAX);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_fail(err, &ERR_AWS_INTERRUPTED, "given up for something more urgent");
    const char *text = client->error[0] ? client->error : curl_easy_strerror(code);
    if (code == CURLE_SSL_CACERT_BADFILE) /* the fault is here, not there */
        return err_fail(err, &ERR_AWS_ANSWER, "a file on this machine, AWS_CA_BUNDLE: %s", text);
    return err_fail(err, is_final(code) ? &ERR_AWS_ANSWER : &ERR_AWS_UNREACHABLE, "%s", text);
}

/* The result of the one transfer there is. */
static CURLcode result_of(CURLM *multi)
{
    int left;
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    return message ? message->data.result : CURLE_FAILED_INIT;
}

/* As curl_easy_perform(), but given up when `stop` asks for it: CURLE_ABORTED_BY_CALLBACK. The
 * connection of a transfer that was given up is closed. */
static CURLcode perform(struct http_client *client, const struct http_stop *stop)
{
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    if (curl_multi_add_handle(client->multi, client->curl) != CURLM_OK)
        return CURLE_FAILED_INIT;
    while (running && !http_stop_is_asked(stop)) {
        if (curl_multi_perform(client->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_multi_poll(client->multi, NULL, 0, STOP_LOOK_MS, NULL);
        else
            code = result_of(client->multi);
    }
    curl_multi_remove_handle(client->multi, client->curl);
    return code;
}

static bool fetch(void *ctx, const struct http_request *req, struct arena *arena,
                  struct http_answer *ret, struct err *err)
{
    struct http_client *client = ctx;
    CLEANUP(free_fields) struct curl_slist *fields = NULL;
    struct slice url = arena_copy(arena, req->url), method = arena_copy(arena, req->method);
    struct transfer t = {.arena = arena, .body = arena_buf(arena, req->answer_max)};
    if (!url.ptr || !method.ptr || t.body.full || !is_one_line(req->url) ||
        !add_fields(&fields, req))
        return err_fail(err, &ERR_INTERNAL, "request with a line break, or too large");
    curl_easy_reset(client->curl); /* the options; its connections stay */
    set_safety(client);
    set_request(client->curl, req, url.ptr, method.ptr, fields, &t);
    CURLcode code = perform(client, req->stop);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_reset(client->curl); /* nothing of the request is referred to any more */
    if (code != CURLE_OK)
        return fail(client, req, &t, code, err);
    *ret = t.answer;
    ret->status = (int)status;
    ret->body = buf_slice(&t.body);
    return true;
}

static void pause_ms(void *ctx, int64_t ms)
{
    const struct timespec wait = {.tv_sec = ms / MS_PER_S, .tv_nsec = ms % MS_PER_S * 1000000};
    (void)ctx;
    (void)nanosleep(&wait, NULL); /* a signal that cuts it short asks for haste anyway */
}

struct http_outside http_client_outside(struct http_client *client)
{
    return (struct http_outside){fetch, pause_ms, client};
}
