#include "fcgi/cli/text_index.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 1024 /* a power of two, as every size after it */

static bool make_key(struct slice text, unsigned char ret[16])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    memcpy(ret, digest, 16);
    return true;
}

/* The entry of the key, or the free place where it belongs. There is always a free place. */
static struct text_entry *find(const struct text_index *index, const unsigned char key[16])
{
    size_t at;
    memcpy(&at, key, sizeof at); /* any part of a digest is a good hash */
    for (at &= index->cap - 1;; at = (at + 1) & (index->cap - 1)) {
        struct text_entry *entry = &index->entries[at];
        if (entry->number == 0 || memcmp(entry->key, key, sizeof entry->key) == 0)
            return entry;
    }
}

/* Doubles the table while it is more than half full. */
static bool make_room(struct text_index *index)
{
    if (index->cap > 0 && index->count < index->cap / 2)
        return true;
    struct text_index bigger = {.count = index->count,
                                .cap = index->cap > 0 ? index->cap * 2 : FIRST_CAP};
    bigger.entries = calloc(bigger.cap, sizeof *bigger.entries);
    if (!bigger.entries)
        return false;
    for (size_t i = 0; i < index->cap; i++)
        if (index->entries[i].number != 0)
            *find(&bigger, index->entries[i].key) = index->entries[i];
    free(index->entries);
    *index = bigger;
    return true;
}

bool text_index_put(struct text_index *index, struct slice text, int64_t number,
                    int64_t *ret_before, struct err *err)
{
    struct text_entry made = {.number = number};
    if (!make_key(text, made.key) || !make_room(index))
        return err_fail(err, &ERR_INTERNAL, "no memory for %zu texts", index->count);
    struct text_entry *entry = find(index, made.key);
    *ret_before = entry->number;
    index->count += entry->number == 0;
    *entry = made;
    return true;
}

int64_t text_index_get(const struct text_index *index, struct slice text)
{
    unsigned char key[16];
    return index->cap > 0 && make_key(text, key) ? find(index, key)->number : 0;
}

void text_index_done(struct text_index *index)
{
    free(index->entries);
    *index = (struct text_index){0};
}
