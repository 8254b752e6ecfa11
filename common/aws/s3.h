/* s3.h - Amazon S3: the operations this service uses.
 * Source: Amazon S3 API Reference; Amazon S3 User Guide, "Virtual hosting of general purpose
 * buckets". A HEAD has no body, so what S3 says of its refusal is the status alone. */
#ifndef COMMON_AWS_S3_H
#define COMMON_AWS_S3_H

#include "common/aws/call.h"

struct s3_place {
    struct slice region;
    struct slice endpoint; /* "": the region's own, virtual-host style; else path style below it */
    struct slice bucket;
};

/* NULL when `name` can name a general purpose bucket, else what is wrong with it. Pure. */
const char *s3_bucket_fault(struct slice name);

/* Where requests for the bucket go: `https://bucket.s3.region.amazonaws.com` and an empty prefix of
 * paths; path style (prefix `/bucket`) at an endpoint of one's own, and for a bucket with a dot,
 * whose host name no certificate of S3 matches. Lives in the arena. Errors: ERR_INTERNAL. */
struct s3_address {
    struct slice base_url, path_prefix;
};
bool s3_address(const struct s3_place *place, struct arena *arena, struct s3_address *ret,
                struct err *err) MUST_USE;

/* HeadBucket: whether the bucket is there and we may use it; needs s3:ListBucket. Errors:
 * ERR_BUCKET_ABSENT; ERR_AWS_REFUSED (not ours, no right, a signature S3 does not take);
 * ERR_AWS_ANSWER (a bucket of another region, too); those of aws_call_send(). */
bool s3_head_bucket(struct aws_client *client, const struct aws_credentials *credentials,
                    const struct s3_place *place, struct arena *arena, struct err *err) MUST_USE;

#endif
