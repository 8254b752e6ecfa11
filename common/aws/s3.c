#include "common/aws/s3.h"

#define BUCKET_MIN 3
#define BUCKET_MAX 63

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

const char *s3_bucket_fault(struct slice name)
{
    if (name.len < BUCKET_MIN || name.len > BUCKET_MAX)
        return "must have 3 to 63 characters";
    for (size_t i = 0; i < name.len; i++)
        if (!is_letter_or_digit(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
            return "must have lowercase letters, digits, '-' and '.' only";
    if (!is_letter_or_digit(name.ptr[0]) || !is_letter_or_digit(name.ptr[name.len - 1]))
        return "must begin and end with a letter or digit";
    for (size_t i = 1; i < name.len; i++)
        if (name.ptr[i] == '.' && name.ptr[i - 1] == '.')
            return "must not have two dots in a row";
    return NULL;
}

bool s3_address(const struct s3_place *place, struct arena *arena, struct s3_address *ret,
                struct err *err)
{
    bool own_endpoint = place->endpoint.len > 0;
    bool in_path = own_endpoint || slice_contains_byte(place->bucket, '.');
    struct buf url = arena_buf(arena, place->endpoint.len + place->region.len + BUCKET_MAX + 64);
    struct buf prefix = arena_buf(arena, BUCKET_MAX + 1);
    if (own_endpoint) {
        buf_add(&url, place->endpoint);
    } else {
        buf_add(&url, SLICE("https://"));
        if (!in_path) {
            buf_add(&url, place->bucket);
            buf_add_char(&url, '.');
        }
        buf_add(&url, SLICE("s3."));
        buf_add(&url, place->region);
        buf_add(&url, SLICE(".amazonaws.com"));
    }
    if (in_path) {
        buf_add_char(&prefix, '/');
        buf_add(&prefix, place->bucket);
    }
    if (url.full || prefix.full)
        return err_fail(err, &ERR_INTERNAL, "address of the bucket too long");
    *ret = (struct s3_address){buf_slice(&url), buf_slice(&prefix)};
    return true;
}

static bool judge_head(int status, struct err *err)
{
    switch (status) {
    case 200:
        return true;
    case 404:
        return err_fail(err, &ERR_BUCKET_ABSENT, "HeadBucket: status 404");
    case 400: /* a HEAD's way of saying that a token has expired, among others */
    case 401:
    case 403:
        return err_fail(err, &ERR_AWS_REFUSED, "HeadBucket: status %d", status);
    default: /* 301: it lies in another region */
        return err_fail(err, &ERR_AWS_ANSWER, "HeadBucket: status %d", status);
    }
}

bool s3_head_bucket(struct aws_client *client, const struct aws_credentials *credentials,
                    const struct s3_place *place, struct arena *arena, struct err *err)
{
    struct s3_address address = {0};
    struct http_answer answer = {0};
    if (!s3_address(place, arena, &address, err))
        return false;
    const struct aws_call call = {
        .service = "s3",
        .operation = "HeadBucket",
        .region = place->region,
        .rules = sigv4_rules_s3,
        .base_url = address.base_url,
        .method = SLICE("HEAD"),
        .path = address.path_prefix.len > 0 ? address.path_prefix : SLICE("/"),
        .resource = place->bucket,
        .answer_max = KIB(4), /* nothing, unless the peer is not S3 */
    };
    return aws_call_send(client, credentials, &call, arena, &answer, err) &&
           judge_head(answer.status, err);
}
