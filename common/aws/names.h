/* names.h - what the names that AWS gives, and takes, look like. Pure; each says what is wrong with
 * a name, or NULL. Without such checks a name of a region goes into the host that is asked.
 * Sources: AWS General Reference, "Amazon Resource Names"; AWS Secrets Manager API Reference,
 * CreateSecret. For buckets: s3.h. */
#ifndef COMMON_AWS_NAMES_H
#define COMMON_AWS_NAMES_H

#include "common/base/slice.h"

const char *aws_region_fault(struct slice name);

/* Of the ARN of a secret, or of its plain name. */
const char *aws_secret_id_fault(struct slice id);

#endif
