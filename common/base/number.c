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

/* ---- JSON numbers ---- */

/* Beyond this a digit moves the point further than any text of digits reaches back. */
#define EXPONENT_MAX 1000000000

/* A number as its parts: the digits of `whole` and `fraction`, one behind the other, times ten to
 * the power of `exponent`. */
struct decimal {
    bool negative;
    struct slice whole, fraction;
    int64_t exponent;
};

static struct slice take_digits(struct slice *rest)
{
    size_t count = 0;
    while (count < rest->len && rest->ptr[count] >= '0' && rest->ptr[count] <= '9')
        count++;
    const struct slice digits = {rest->ptr, count};
    *rest = slice_after(*rest, count);
    return digits;
}

static bool take_byte(struct slice *rest, const char *any_of)
{
    if (rest->len == 0 || !slice_contains_byte(slice_from_cstr(any_of), rest->ptr[0]))
        return false;
    *rest = slice_after(*rest, 1);
    return true;
}

/* What stands behind "e". */
static bool take_exponent(struct slice *rest, int64_t *ret)
{
    bool negative = take_byte(rest, "-");
    if (!negative)
        (void)take_byte(rest, "+");
    const struct slice digits = take_digits(rest);
    int64_t value = 0;
    for (size_t i = 0; i < digits.len && value < EXPONENT_MAX; i++)
        value = value * 10 + (digits.ptr[i] - '0');
    *ret = negative ? -value : value;
    return digits.len > 0;
}

static bool split(struct slice text, struct decimal *ret)
{
    struct decimal d = {.negative = take_byte(&text, "-"), .fraction = SLICE("")};
    d.whole = take_digits(&text);
    if (!is_decimal(d.whole))
        return false;
    if (take_byte(&text, ".")) {
        d.fraction = take_digits(&text);
        if (d.fraction.len == 0)
            return false;
    }
    if (take_byte(&text, "eE") && !take_exponent(&text, &d.exponent))
        return false;
    *ret = d;
    return text.len == 0;
}

static int digit_at(const struct decimal *d, size_t i)
{
    return (i < d->whole.len ? d->whole.ptr[i] : d->fraction.ptr[i - d->whole.len]) - '0';
}

enum number_result number_parse_json_i64(struct slice text, int64_t *ret)
{
    struct decimal d;
    int64_t value = 0;
    if (!split(text, &d))
        return NUMBER_MALFORMED;
    /* Zeros at the end say nothing but where the point is. */
    size_t count = d.whole.len + d.fraction.len;
    int64_t exponent = d.exponent - (int64_t)d.fraction.len;
    for (; count > 0 && digit_at(&d, count - 1) == 0; count--)
        exponent++;
    if (count > 0 && exponent < 0)
        return NUMBER_MALFORMED;
    for (size_t i = 0; i < count; i++) {
        int digit = digit_at(&d, i);
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, d.negative ? -digit : digit, &value))
            return NUMBER_OUT_OF_RANGE;
    }
    for (; value != 0 && exponent > 0; exponent--)
        if (__builtin_mul_overflow(value, 10, &value))
            return NUMBER_OUT_OF_RANGE;
    *ret = value;
    return NUMBER_OK;
}
