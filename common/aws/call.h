/* call.h - one call of an AWS operation: signed, bounded, repeated where that helps, logged.
 * Everything that may be repeated is repeated within one budget of time, signed anew each time; all
 * operations used here may be (reads, and writes of whole objects). Each call leaves one log event,
 * "aws.call", with AWS's request ids and its words for what is wrong; never a header field, and of
 * a body nothing else.
 * Sources: AWS General Reference, "Error retries and exponential backoff in AWS" (full jitter); AWS
 * SDKs and Tools Reference Guide, "Retry behavior" and "Clock skew". */
#ifndef COMMON_AWS_CALL_H
#define COMMON_AWS_CALL_H

#include "common/aws/http.h"
#include "common/run/world.h"

struct aws_limits {
    unsigned attempts_max;
    int64_t connect_timeout_ms, attempt_timeout_ms;
    int64_t budget_ms;                   /* for all attempts and the pauses between them */
    int64_t pause_base_ms, pause_max_ms; /* the n-th pause is random below base * 2^n, or max */
};
extern const struct aws_limits aws_limits_default;

/* What calls share: one owner, one process. Zeroed but for the first three; aws_client_done() wipes
 * the signing key it remembers. */
struct aws_client {
    const struct world *world;
    struct http_outside outside;
    struct aws_limits limits;
    const struct http_stop *stop; /* of all calls from now on; NULL: none is given up */
    int64_t skew_s; /* the services' clock less ours; learned from a refusal of a signed call */
    struct sigv4_key key;
};
void aws_client_done(struct aws_client *client);
/* The services' time, as far as we know it, in Unix seconds: what credentials expire by. */
int64_t aws_client_now_s(const struct aws_client *client);

struct aws_call {
    const char *service, *operation; /* "secretsmanager", "GetSecretValue"; the first signs, too */
    struct slice region;
    struct sigv4_rules rules;
    struct slice base_url; /* "https://host" or "http://host:port" */
    struct slice method, path;
    const struct aws_pair *query; /* decoded */
    size_t query_count;
    const struct aws_pair *headers; /* all of them are signed */
    size_t header_count;
    struct slice body;
    size_t answer_max;
    struct slice resource;   /* what it is about, for the log: a secret's ARN, a bucket */
    struct slice usual_code; /* an error code that is no failure here; for the log */
};

/* Sends the call; `credentials` NULL sends it unsigned. True when an HTTP answer came, whatever its
 * status: what it means is for the caller (answer_error_code()). The answer lives in the arena.
 * Errors: those of http_outside.fetch, of the last attempt; ERR_AWS_INTERRUPTED also between two.
 */
bool aws_call_send(struct aws_client *client, const struct aws_credentials *credentials,
                   const struct aws_call *call, struct arena *arena, struct http_answer *ret,
                   struct err *err) MUST_USE;

/* ---- the decisions, pure ---- */

enum call_next {
    CALL_TAKE,       /* the answer, or the failure, is final */
    CALL_AGAIN,      /* after a pause */
    CALL_AGAIN_CLOCK /* at once, with the clock corrected */
};
struct call_outcome {
    const struct err_kind *failure; /* NULL: an answer came */
    int status;
    struct slice code;    /* of the answer; see answer_error_code() */
    int64_t clock_off_s;  /* the answer's Date less the time we signed with; 0: none, unsigned */
    bool clock_corrected; /* in this call */
};
enum call_next call_judge(const struct call_outcome *outcome);
/* How far the clocks may be apart; AWS refuses at 5 minutes (S3: 15). */
#define CALL_CLOCK_OFF_MAX_S 240

/* The upper bound of the pause behind the `attempt`-th attempt (from 1), jitter to be drawn below.
 */
int64_t call_pause_bound_ms(const struct aws_limits *limits, unsigned attempt);

#endif
