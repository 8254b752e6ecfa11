#include "common/aws/names.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct name_row {
    const char *name;
    bool good;
} region_rows[] = {
    {"us-east-2", true},      {"us-gov-west-1", true}, {"local", true},    {"us east 2", false},
    {"us-east-2 ", false},    {"US-EAST-2", false},    {"2-east", false},  {"us-east-", false},
    {"evil.example/", false}, {"us-east-2#", false},   {"us_east", false}, {"", false},
};
START_TEST(names_of_regions)
{
    const struct name_row *r = &region_rows[_i];
    const char *fault = aws_region_fault(slice_from_cstr(r->name));
    ck_assert_msg(!fault == r->good, "%s: %s", r->name, fault ? fault : "good");
}
END_TEST

#define ARN "arn:aws:secretsmanager:us-east-2:123456789012:secret:"
static const struct name_row secret_rows[] = {
    {ARN "cbu/database-AbCdEf", true},
    {ARN "rds!db-0123abcd-AbCdEf", true}, /* one that RDS manages */
    {"arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:x", true},
    {"cbu/database", true},
    {"foo", true},
    {ARN, false},
    {ARN "a:b", false},
    {ARN "a b", false},
    {"arn:aws:s3:::bucket", false},
    {"arn:aws:secretsmanager:us-east-2:123456789012:secret", false},
    {"arn:aws:secretsmanager:us-east-2:12345:secret:x", false},
    {"arn:aws:secretsmanager:us-east-2:12345678901a:secret:x", false},
    {"arn:aws:secretsmanager::123456789012:secret:x", false},
    {"arn:aws:secretsmanager:evil.example/:123456789012:secret:x", false},
    {"arn:gcp:secretsmanager:us-east-2:123456789012:secret:x", false},
    {"arn:aws:ssm:us-east-2:123456789012:secret:x", false},
    {"two words", false},
    {"{\"password\":\"pasted\"}", false},
    {"", false},
};
START_TEST(names_of_secrets)
{
    const struct name_row *r = &secret_rows[_i];
    const char *fault = aws_secret_id_fault(slice_from_cstr(r->name));
    ck_assert_msg(!fault == r->good, "%s: %s", r->name, fault ? fault : "good");
}
END_TEST

void aws_names(struct suite *s)
{
    suite_rows(s, names_of_regions, COUNT(region_rows));
    suite_rows(s, names_of_secrets, COUNT(secret_rows));
}
