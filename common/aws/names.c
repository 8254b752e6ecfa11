#include "common/aws/names.h"

#include "common/base/macros.h"

#define SECRET_NAME_MAX 512
#define ACCOUNT_DIGITS  12

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_region(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_lower(name.ptr[i]) && !is_digit(name.ptr[i]) && name.ptr[i] != '-')
            return false;
    return name.len > 0 && is_lower(name.ptr[0]) && name.ptr[name.len - 1] != '-';
}

const char *aws_region_fault(struct slice name)
{
    return is_region(name) ? NULL : "must be a region, such as us-east-2";
}

static bool is_account(struct slice number)
{
    for (size_t i = 0; i < number.len; i++)
        if (!is_digit(number.ptr[i]))
            return false;
    return number.len == ACCOUNT_DIGITS;
}

/* '!' is in the names of secrets that other services manage, such as RDS's. */
static bool is_secret_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_lower(c) && !(c >= 'A' && c <= 'Z') && !is_digit(c) &&
            !slice_contains_byte(SLICE("/_+=.@-!"), c))
            return false;
    }
    return name.len > 0 && name.len <= SECRET_NAME_MAX;
}

/* arn:partition:secretsmanager:region:account:secret:name */
static bool is_secret_arn(struct slice arn)
{
    struct slice rest = arn, parts[6] = {{0}};
    for (size_t i = 0; i < COUNT(parts); i++)
        if (!slice_cut(&rest, ':', &parts[i]))
            return false;
    return slice_starts_with(parts[1], SLICE("aws")) && is_region(parts[1]) &&
           slice_equal(parts[2], SLICE("secretsmanager")) && is_region(parts[3]) &&
           is_account(parts[4]) && slice_equal(parts[5], SLICE("secret")) && is_secret_name(rest);
}

const char *aws_secret_id_fault(struct slice id)
{
    if (slice_starts_with(id, SLICE("arn:")))
        return is_secret_arn(id) ? NULL
                                 : "must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME";
    return is_secret_name(id) ? NULL
                              : "must be the ARN of a secret, or its name: letters, digits and "
                                "/_+=.@-";
}
