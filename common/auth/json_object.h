/* json_object.h - a JSON object of a token or a key set, read more strictly than cJSON alone would:
 * RFC 8259 to the letter (common/base/json_check.h), and no member named twice at any depth, since
 * two readers of {"sub":"a","sub":"b"} may see two different users (RFC 7515 section 4, RFC 7519
 * section 4). */
#ifndef COMMON_AUTH_JSON_OBJECT_H
#define COMMON_AUTH_JSON_OBJECT_H

#include "common/base/macros.h"
#include "common/base/slice.h"

#include <cjson/cJSON.h>

/* Members of one object; each is compared with all others. */
#define JSON_OBJECT_MEMBERS_MAX 256

/* The object's tree, to be released with json_object_close(); NULL when it is refused, and
 * `*ret_fault` says why without quoting it. */
cJSON *json_object_open(struct slice text, const char **ret_fault) MUST_USE;
void json_object_close(cJSON **object); /* for CLEANUP; NULL inside is fine */

/* The text of a member: ptr NULL when it is absent or no text. Lives as long as the tree. */
struct slice json_object_text(const cJSON *object, const char *name);

#endif
