#include "common/auth/json_object.h"

#include "common/base/json_check.h"

#include <string.h>

static const char *find_repeated(const cJSON *object)
{
    const char *names[JSON_OBJECT_MEMBERS_MAX];
    size_t count = 0;
    for (const cJSON *each = object->child; each; each = each->next) {
        if (count == COUNT(names))
            return "an object with too many members";
        for (size_t i = 0; i < count; i++)
            if (strcmp(names[i], each->string) == 0)
                return "a member that is there twice";
        names[count++] = each->string;
    }
    return NULL;
}

/* Recursion is bounded by JSON_DEPTH_MAX, which json_check() has enforced. */
static const char *find_fault(const cJSON *node)
{
    const char *fault = (node->type & 0xFF) == cJSON_Object ? find_repeated(node) : NULL;
    for (const cJSON *each = node->child; each && !fault; each = each->next)
        fault = find_fault(each);
    return fault;
}

cJSON *json_object_open(struct slice text, const char **ret_fault)
{
    struct json_fault fault = {0};
    cJSON *tree = NULL;
    const char *wrong = "no JSON object";
    if (!json_check(text, &fault))
        wrong = fault.what;
    else
        tree = cJSON_ParseWithLength(text.ptr, text.len);
    if (tree && cJSON_IsObject(tree))
        wrong = find_fault(tree);
    if (!wrong)
        return tree;
    cJSON_Delete(tree);
    *ret_fault = wrong;
    return NULL;
}

void json_object_close(cJSON **object)
{
    cJSON_Delete(*object);
}

struct slice json_object_text(const cJSON *object, const char *name)
{
    return slice_from_cstr(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name)));
}
