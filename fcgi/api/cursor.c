#include "fcgi/api/cursor.h"

#include "common/base/base64url.h"

#include <string.h>

/* Layout before base64url: MAC, version, id, number, text. The MAC is cut to 128 bits, as NIST SP
 * 800-107 allows: forging one takes 2^128 tries, and each try is a request. */
#define CURSOR_MAC_BYTES 16
#define CURSOR_VERSION   1
#define CURSOR_HEAD      (CURSOR_MAC_BYTES + 1 + 8 + 8)

static void add_u64(struct buf *b, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_add_char(b, (char)(value >> shift & 0xFF));
}

static int64_t read_u64(const char *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return (int64_t)value;
}

/* What is signed: the payload, then the query, with a length between them so that neither can
 * borrow bytes from the other. */
static struct slice message(struct slice payload, struct slice binding, struct arena *arena)
{
    struct buf out = arena_buf(arena, payload.len + binding.len + 8);
    add_u64(&out, payload.len);
    buf_add(&out, payload);
    buf_add(&out, binding);
    return out.full ? (struct slice){0} : buf_slice(&out);
}

struct slice cursor_write(const struct mac_ring *ring, struct slice binding,
                          const struct cursor *cursor, struct arena *arena)
{
    unsigned char mac[MAC_BYTES];
    struct buf raw = arena_buf(arena, CURSOR_HEAD + cursor->text.len);
    buf_add(&raw, (struct slice){(char[CURSOR_MAC_BYTES]){0}, CURSOR_MAC_BYTES});
    buf_add_char(&raw, CURSOR_VERSION);
    add_u64(&raw, (uint64_t)cursor->id);
    add_u64(&raw, (uint64_t)cursor->number);
    buf_add(&raw, cursor->text);
    struct buf text = arena_buf(arena, raw.len * 4 / 3 + 4);
    struct slice signed_part =
        message(slice_after(buf_slice(&raw), CURSOR_MAC_BYTES), binding, arena);
    if (raw.full || text.full || !signed_part.ptr || !mac_ring_sign(ring, signed_part, mac))
        return (struct slice){0};
    memcpy(raw.ptr, mac, CURSOR_MAC_BYTES);
    base64url_add(&text, buf_slice(&raw));
    return buf_slice(&text);
}

bool cursor_read(const struct mac_ring *ring, struct slice binding, struct slice text,
                 struct arena *arena, struct cursor *ret, struct err *err)
{
    struct buf raw = arena_buf(arena, text.len);
    if (!base64url_decode(&raw, text) || raw.full || raw.len < CURSOR_HEAD)
        return err_fail(err, &ERR_CURSOR_INVALID, "cursor is not ours");
    struct slice mac = {raw.ptr, CURSOR_MAC_BYTES};
    struct slice payload = slice_after(buf_slice(&raw), CURSOR_MAC_BYTES);
    struct slice signed_part = message(payload, binding, arena);
    if (!signed_part.ptr || !mac_ring_verify(ring, signed_part, mac) ||
        payload.ptr[0] != CURSOR_VERSION)
        return err_fail(err, &ERR_CURSOR_INVALID, "cursor is forged or of another query");
    *ret = (struct cursor){.id = read_u64(payload.ptr + 1),
                           .number = read_u64(payload.ptr + 1 + 8),
                           .text = slice_after(payload, 1 + 8 + 8)};
    return true;
}
