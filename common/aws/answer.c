#include "common/aws/answer.h"

#include "common/base/json_check.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <time.h>

/* ---- JSON ---- */

/* Secrets pass through these trees, so their texts are wiped before the memory goes back. Recursion
 * is bounded by JSON_DEPTH_MAX, which json_check() has enforced. */
static void wipe_texts(cJSON *node)
{
    for (; node; node = node->next) {
        if (node->valuestring)
            explicit_bzero(node->valuestring, strlen(node->valuestring));
        wipe_texts(node->child);
    }
}

static void delete_tree(cJSON **tree)
{
    wipe_texts(*tree);
    cJSON_Delete(*tree);
}

static bool read_field(const cJSON *object, const struct answer_field *field, struct arena *arena,
                       struct err *err)
{
    const cJSON *found = NULL, *each;
    cJSON_ArrayForEach(each, object)
    {
        if (strcmp(each->string, field->name) != 0)
            continue;
        if (found)
            return err_fail(err, &ERR_AWS_ANSWER, "%s is there twice", field->name);
        found = each;
    }
    bool absent = !found || cJSON_IsNull(found);
    if (!absent && !cJSON_IsString(found))
        return err_fail(err, &ERR_AWS_ANSWER, "%s is no text", field->name);
    if (field->required && (absent || !*found->valuestring))
        return err_fail(err, &ERR_AWS_ANSWER, "%s is missing", field->name);
    if (absent)
        return true;
    *field->at = arena_copy(arena, slice_from_cstr(found->valuestring));
    return field->at->ptr || err_fail(err, &ERR_AWS_ANSWER, "%s is too large", field->name);
}

bool answer_read_json(struct slice body, const struct answer_field *fields, size_t count,
                      struct arena *arena, struct err *err)
{
    struct json_fault fault;
    if (!json_check(body, &fault))
        return err_fail(err, &ERR_AWS_ANSWER, "no JSON: %s at byte %zu", fault.what, fault.at);
    CLEANUP(delete_tree) cJSON *tree = cJSON_ParseWithLength(body.ptr, body.len);
    if (!cJSON_IsObject(tree))
        return err_fail(err, &ERR_AWS_ANSWER, "no JSON object");
    for (size_t i = 0; i < count; i++)
        if (!read_field(tree, &fields[i], arena, err))
            return false;
    return true;
}

/* ---- error codes ---- */

static bool is_code(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '.'))
            return false;
    }
    return text.len > 0 && text.len <= ANSWER_CODE_MAX;
}

/* "com.amazonaws.secretsmanager#ResourceNotFoundException:http://..." in its longest form. */
static struct slice json_code(struct slice body, struct arena *arena)
{
    struct slice type = {0}, other = {0}, part = {0};
    struct err ignored = {0}; /* what cannot be read names no code */
    const struct answer_field fields[] = {{"__type", &type, false}, {"code", &other, false}};
    if (!answer_read_json(body, fields, COUNT(fields), arena, &ignored))
        return part;
    struct slice rest = type.ptr ? type : other;
    if (slice_contains_byte(rest, '#'))
        slice_cut(&rest, '#', &part);
    slice_cut(&rest, ':', &part);
    return part;
}

/* The text of the first <name>...</name> in the document. S3's error documents have no attributes
 * and no nesting below these elements, so this finds all there is to find. */
static struct slice xml_text(struct slice document, struct slice open, struct slice close)
{
    const char *start =
        document.len > 0 ? memmem(document.ptr, document.len, open.ptr, open.len) : NULL;
    if (!start)
        return (struct slice){0};
    struct slice rest = slice_after(document, (size_t)(start - document.ptr) + open.len);
    const char *end = rest.len > 0 ? memmem(rest.ptr, rest.len, close.ptr, close.len) : NULL;
    return end ? (struct slice){rest.ptr, (size_t)(end - rest.ptr)} : (struct slice){0};
}

static struct slice without_blanks_in_front(struct slice body)
{
    size_t blanks = 0;
    while (blanks < body.len && slice_contains_byte(SLICE(" \t\r\n"), body.ptr[blanks]))
        blanks++;
    return slice_after(body, blanks);
}

static struct slice xml_of_error(struct slice document, struct slice open, struct slice close)
{
    return xml_text(xml_text(document, SLICE("<Error>"), SLICE("</Error>")), open, close);
}

struct slice answer_error_code(struct slice body, struct arena *arena)
{
    struct slice code = {0}, document = without_blanks_in_front(body);
    if (document.len > 0 && document.ptr[0] == '{')
        code = json_code(document, arena);
    else if (document.len > 0 && document.ptr[0] == '<')
        code = xml_of_error(document, SLICE("<Code>"), SLICE("</Code>"));
    return is_code(code) ? arena_copy(arena, code) : (struct slice){0};
}

/* Both spellings are in use, sometimes by the same service. */
static struct slice json_message(struct slice document, struct arena *arena)
{
    struct slice small = {0}, capital = {0};
    struct err ignored = {0};
    const struct answer_field fields[] = {{"message", &small, false}, {"Message", &capital, false}};
    if (!answer_read_json(document, fields, COUNT(fields), arena, &ignored))
        return (struct slice){0};
    return small.len > 0 ? small : capital;
}

/* Where the text's words stop being harmless to show. */
static size_t harmless_bytes(struct slice text)
{
    size_t word = 0;
    for (size_t i = 0; i < text.len && i < ANSWER_MESSAGE_MAX + ANSWER_WORD_MAX; i++) {
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r')
            return i;
        word = text.ptr[i] == ' ' ? 0 : word + 1;
        if (word > ANSWER_WORD_MAX)
            return i + 1 - word;
    }
    return text.len;
}

struct slice answer_error_message(struct slice body, struct arena *arena)
{
    struct slice text = {0}, document = without_blanks_in_front(body);
    if (document.len > 0 && document.ptr[0] == '{')
        text = json_message(document, arena);
    else if (document.len > 0 && document.ptr[0] == '<')
        text = xml_of_error(document, SLICE("<Message>"), SLICE("</Message>"));
    text.len = harmless_bytes(text);
    struct buf out = arena_buf(arena, ANSWER_MESSAGE_MAX);
    for (size_t i = 0; text.ptr && i < text.len && i < ANSWER_MESSAGE_MAX; i++) {
        bool shows = text.ptr[i] >= ' ' && text.ptr[i] <= '~';
        buf_add_char(&out, (char)(shows ? text.ptr[i] : '?'));
    }
    return out.full ? (struct slice){0} : buf_slice(&out);
}

/* ---- times ---- */

/* Behind "Z" or a fraction nothing may follow. */
static bool ends_in_z(const char *rest)
{
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0)
            return false;
        rest += 1 + digits;
    }
    return strcmp(rest, "Z") == 0;
}

/* The program never leaves the C locale, so names of days and months are English. */
static const char *parse_time(struct slice text, const char *format, char *storage, size_t cap,
                              struct tm *ret)
{
    if (!slice_to_cstr(text, storage, cap))
        return NULL;
    *ret = (struct tm){0};
    return strptime(storage, format, ret);
}

int64_t answer_time_rfc3339(struct slice text)
{
    char storage[48];
    struct tm utc;
    const char *rest = parse_time(text, "%Y-%m-%dT%H:%M:%S", storage, sizeof storage, &utc);
    return rest && ends_in_z(rest) ? (int64_t)timegm(&utc) : -1;
}

int64_t answer_time_http(struct slice text)
{
    char storage[48];
    struct tm utc;
    const char *rest = parse_time(text, "%a, %d %b %Y %H:%M:%S GMT", storage, sizeof storage, &utc);
    return rest && *rest == '\0' ? (int64_t)timegm(&utc) : -1;
}
