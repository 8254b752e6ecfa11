#include "common/db/server_error.h"

#define MESSAGE_MAX 200

/* The errors whose messages quote a value, or the statement itself. A value may hold anything, the
 * text behind it too, so it ends where that text is found last. */
static const struct quoting {
    unsigned number;
    struct slice behind; /* begins with the closing quote; nowhere: the last quote is it */
} quoting[] = {
    {1062, SLICE_INIT("' for key '")},     /* duplicate entry */
    {1064, SLICE_INIT("' at line ")},      /* syntax */
    {1149, SLICE_INIT("'")},               /* syntax */
    {1292, SLICE_INIT("' for column ")},   /* truncated incorrect value */
    {1366, SLICE_INIT("' for column ")},   /* incorrect value, of text too */
    {1367, SLICE_INIT("' found ")},        /* illegal value while parsing */
    {1411, SLICE_INIT("' for function ")}, /* incorrect value for a function */
    {1525, SLICE_INIT("'")},               /* incorrect value */
    {1586, SLICE_INIT("' for key '")},     /* duplicate entry, by the key's name */
    {1690, SLICE_INIT("'")},               /* out of range in an expression */
    {3140, SLICE_INIT("' for column ")},   /* invalid JSON text */
    {3141, SLICE_INIT("'")},               /* the same, in an argument */
};

static const struct quoting *find_quoting(unsigned number)
{
    for (size_t i = 0; i < COUNT(quoting); i++)
        if (quoting[i].number == number)
            return &quoting[i];
    return NULL;
}

/* Where `part` stands in the text for the last time; the text's length when it does not. */
static size_t find_last(struct slice text, struct slice part)
{
    for (size_t at = text.len; at-- > 0;)
        if (slice_starts_with(slice_after(text, at), part))
            return at;
    return text.len;
}

static struct slice first_bytes(struct slice text, size_t count)
{
    return (struct slice){text.ptr, text.len < count ? text.len : count};
}

void server_error_add(struct buf *out, unsigned number, struct slice message)
{
    const struct quoting *row = find_quoting(number);
    size_t begin = 0;
    buf_add_format(out, "%u ", number);
    while (begin < message.len && message.ptr[begin] != '\'')
        begin++;
    if (!row || begin == message.len) {
        buf_add(out, first_bytes(message, MESSAGE_MAX));
        return;
    }
    size_t end = find_last(message, row->behind);
    if (end == message.len)
        end = find_last(message, SLICE("'"));
    buf_add(out, first_bytes(message, begin < MESSAGE_MAX ? begin + 1 : MESSAGE_MAX));
    buf_add(out, SLICE("..."));
    if (end > begin) /* else the message was cut within the value */
        buf_add(out, first_bytes(slice_after(message, end), MESSAGE_MAX));
}
