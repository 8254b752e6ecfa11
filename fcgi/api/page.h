/* page.h - one page of a list, the same way for every noun: `{"items":[...],"next_cursor":...}`.
 * The noun's handler says where the rows come from and how they are shown. */
#ifndef FCGI_API_PAGE_H
#define FCGI_API_PAGE_H

#include "fcgi/api/ctx.h"

struct page {
    /* What was asked for. */
    struct slice binding; /* of the cursor, see cursor.h */
    struct slice cursor;  /* as it was sent; ptr NULL: the first page */
    int64_t limit;
    /* Where the rows come from. `source` is handed to each function; `row` has room for one. */
    const void *source;
    void *row;
    const struct view *view;
    /* Starts to read up to `limit` rows, those behind `after`; NULL: from the first. */
    bool (*list)(struct ctx *ctx, const void *source, const struct cursor *after, int64_t limit,
                 struct db_rows *ret, struct err *err);
    /* The next row; false behind the last. */
    bool (*next)(struct db_rows *rows, void *ret_row, struct err *err);
    /* Where a list goes on behind this row. */
    struct cursor (*key)(const void *source, const void *row);
};

/* Writes the page but for the bracket that ends it, so that members may follow. `ret_count` (may be
 * NULL): how many items it has. Errors: ERR_CURSOR_INVALID, ERR_INTERNAL, those of list(). */
bool page_write(struct ctx *ctx, const struct page *page, int64_t *ret_count,
                struct err *err) MUST_USE;
/* Ends it, and answers 200. */
bool page_end(struct ctx *ctx, struct err *err) MUST_USE;

#endif
