#include "common/base/number.h"

static bool is_decimal(struct slice digits)
{
    if (digits.len == 0 || (digits.len > 1 && digits.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    return true;
}

enum number_result number_parse_i64(struct slice text, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    struct slice digits = slice_after(text, negative ? 1 : 0);
    if (!is_decimal(digits) || (negative && digits.ptr[0] == '0'))
        return NUMBER_MALFORMED;
    int64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        int digit = digits.ptr[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return NUMBER_OUT_OF_RANGE;
    }
    if (value < min || value > max)
        return NUMBER_OUT_OF_RANGE;
    *ret = value;
    return NUMBER_OK;
}
