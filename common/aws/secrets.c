#include "common/aws/secrets.h"

#include "common/aws/answer.h"
#include "common/base/json_write.h"

/* A secret has at most 64 KiB; escaped as JSON, and with the members around it, this. */
#define ANSWER_MAX KIB(160)
#define ID_MAX     KIB(2)

struct slice secrets_region_of(struct slice id)
{
    struct slice rest = id, part = {0};
    if (!slice_starts_with(id, SLICE("arn:")))
        return part;
    for (int i = 0; i < 4; i++)
        if (!slice_cut(&rest, ':', &part))
            return (struct slice){0};
    return part;
}

static struct slice write_request(struct slice id, enum secret_stage stage, struct arena *arena)
{
    static const char *const labels[] = {"AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"};
    struct buf out = arena_buf(arena, 2 * ID_MAX);
    buf_add_char(&out, '{');
    json_add_member(&out, "SecretId", id);
    json_add_member(&out, "VersionStage", slice_from_cstr(labels[stage]));
    buf_add_char(&out, '}');
    return out.full ? (struct slice){0} : buf_slice(&out);
}

static struct slice base_url(const struct secrets_place *place, struct arena *arena)
{
    struct buf out = arena_buf(arena, place->endpoint.len + place->region.len + 64);
    if (place->endpoint.len > 0) {
        buf_add(&out, place->endpoint);
    } else {
        buf_add(&out, SLICE("https://secretsmanager."));
        buf_add(&out, place->region);
        buf_add(&out, SLICE(".amazonaws.com"));
    }
    return out.full ? (struct slice){0} : buf_slice(&out);
}

bool secrets_get(struct aws_client *client, const struct aws_credentials *credentials,
                 const struct secrets_place *place, struct slice id, enum secret_stage stage,
                 struct arena *arena, struct secret_value *ret, struct err *err)
{
    static const struct aws_pair headers[] = {
        {SLICE_INIT("Content-Type"), SLICE_INIT("application/x-amz-json-1.1")},
        {SLICE_INIT("X-Amz-Target"), SLICE_INIT("secretsmanager.GetSecretValue")}};
    struct http_answer answer;
    const struct aws_call call = {
        .service = "secretsmanager",
        .operation = "GetSecretValue",
        .region = place->region,
        .rules = sigv4_rules_other,
        .base_url = base_url(place, arena),
        .method = SLICE("POST"),
        .path = SLICE("/"),
        .headers = headers,
        .header_count = COUNT(headers),
        .body = write_request(id, stage, arena),
        .resource = id,
        .answer_max = ANSWER_MAX,
        /* A first version has none before it, and most of the time no rotation is under way. */
        .usual_code =
            stage == SECRET_CURRENT ? (struct slice){0} : SLICE("ResourceNotFoundException"),
    };
    if (!call.base_url.ptr || !call.body.ptr)
        return err_fail(err, &ERR_INTERNAL, "name of a secret too long");
    return aws_call_send(client, credentials, &call, arena, &answer, err) &&
           secrets_read_answer(answer.status, answer.body, arena, ret, err);
}

bool secrets_read_answer(int status, struct slice body, struct arena *arena,
                         struct secret_value *ret, struct err *err)
{
    struct secret_value made = {0};
    const struct answer_field fields[] = {{"VersionId", &made.version_id, true},
                                          {"SecretString", &made.text, true}};
    struct slice code = answer_error_code(body, arena);
    if (code.len > 0) {
        struct slice message = answer_error_message(body, arena);
        bool absent = slice_equal(code, SLICE("ResourceNotFoundException"));
        return err_fail(err, absent ? &ERR_SECRET_ABSENT : &ERR_AWS_REFUSED,
                        "GetSecretValue: %.*s%s%.*s", SLICE_ARG(code), message.len > 0 ? ": " : "",
                        SLICE_ARG(message));
    }
    if (status != 200)
        return err_fail(err, &ERR_AWS_ANSWER, "GetSecretValue: status %d", status);
    if (!answer_read_json(body, ARRAY(fields), arena, err))
        return false;
    *ret = made;
    return true;
}

static bool is_object(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!slice_contains_byte(SLICE(" \t\r\n"), text.ptr[i]))
            return text.ptr[i] == '{';
    return false;
}

bool secrets_read_login(struct slice text, struct arena *arena, struct database_login *ret,
                        struct err *err)
{
    struct database_login made = {0};
    const struct answer_field fields[] = {{"username", &made.user, false},
                                          {"password", &made.password, true}};
    if (!is_object(text))
        made.password = text;
    else if (!answer_read_json(text, ARRAY(fields), arena, err))
        return false;
    if (made.password.len == 0)
        return err_fail(err, &ERR_AWS_ANSWER, "the database's secret is empty");
    *ret = made;
    return true;
}

bool secrets_read_text(struct slice text, const char *name, size_t min, struct arena *arena,
                       struct slice *ret, struct err *err)
{
    struct slice made = text;
    const struct answer_field field = {name, &made, true};
    if (is_object(text) && !answer_read_json(text, &field, 1, arena, err))
        return false;
    if (made.len < min)
        return err_fail(err, &ERR_AWS_ANSWER, "the secret is shorter than %zu bytes", min);
    *ret = made;
    return true;
}
