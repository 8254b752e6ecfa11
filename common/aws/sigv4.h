/* sigv4.h - AWS Signature Version 4, header and query form.
 * Source: AWS IAM User Guide, "Create a signed AWS API request" and "Authenticating requests" of
 * the Amazon S3 API Reference; checked against AWS's own test suite and against botocore. Pure: no
 * I/O, no clock, no locale; callable from any process at any time. Keys are wiped by the scope that
 * held them. */
#ifndef COMMON_AWS_SIGV4_H
#define COMMON_AWS_SIGV4_H

#include "common/base/arena.h"

#include <stdint.h>

struct aws_credentials {
    struct slice access_key, secret_key;
    struct slice session_token; /* empty: long-lived credentials */
};

struct aws_pair {
    struct slice name, value;
};

/* How a service wants its requests canonicalised. S3 takes the path as it is sent and wants the
 * payload's hash as a header; every other service normalises the path and encodes it once more. */
struct sigv4_rules {
    bool normalize_path, encode_path, payload_header;
};
extern const struct sigv4_rules sigv4_rules_s3, sigv4_rules_other;

#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct sigv4_request {
    struct slice method, scheme /* query form only */, host;
    struct slice path;            /* percent-encoded, as it goes onto the wire; begins with '/';
                                     "" is "/" */
    const struct aws_pair *query; /* decoded */
    size_t query_count;
    /* Header fields to be signed, besides host, x-amz-date, x-amz-content-sha256 and
     * x-amz-security-token, which are added here. Hop-by-hop fields and such that proxies change
     * (user-agent, expect, transfer-encoding, x-amzn-trace-id) are left out of the signature. */
    const struct aws_pair *headers;
    size_t header_count;
    struct slice payload_hash; /* 64 lowercase hex digits of SHA-256, or SIGV4_UNSIGNED_PAYLOAD */
    struct slice region, service;
    struct sigv4_rules rules;
    int64_t now;       /* Unix time in seconds, UTC */
    int64_t expires_s; /* query form only: 1 to 604,800 */
};

/* Room for a derived signing key, so that a process derives it once a day. Zeroed to begin with;
 * one owner; wipe with sigv4_key_wipe(). It remembers what it was derived from and is derived anew
 * when any of that changes. */
struct sigv4_key {
    bool set;
    unsigned char origin[32]; /* SHA-256 over secret key, day, region and service */
    unsigned char bytes[32];
};
void sigv4_key_wipe(struct sigv4_key *key);

/* What signing made; all of it lives in the arena. */
struct sigv4_signed {
    struct slice canonical_request, string_to_sign, signature, signed_headers;
    struct slice date;          /* value of x-amz-date */
    struct slice authorization; /* header form: value of Authorization */
    struct slice url;           /* query form: the complete address */
};

/* Header form. The caller sends the headers it gave and adds Authorization, x-amz-date,
 * x-amz-security-token (if there is a token) and x-amz-content-sha256 (if rules.payload_header).
 * Errors: ERR_INTERNAL when the arena is full, OpenSSL fails, `now` is no time of this era, or the
 * request is none: see sigv4_fault(). `ret` is then as it was. */
bool sigv4_sign_header(const struct aws_credentials *credentials, const struct sigv4_request *req,
                       struct sigv4_key *key, struct arena *arena, struct sigv4_signed *ret,
                       struct err *err) MUST_USE;
/* Query form (a presigned address). Errors: as above. */
bool sigv4_sign_query(const struct aws_credentials *credentials, const struct sigv4_request *req,
                      struct sigv4_key *key, struct arena *arena, struct sigv4_signed *ret,
                      struct err *err) MUST_USE;

/* Percent-encodes everything but A-Z a-z 0-9 - . _ ~ (and '/' where `keep_slash`), in upper case.
 */
void sigv4_uri_encode(struct buf *out, struct slice text, bool keep_slash);
/* SHA-256 as 64 lowercase hex digits. False when OpenSSL fails. */
bool sigv4_hash_hex(struct slice bytes, struct buf *out) MUST_USE;

#endif
