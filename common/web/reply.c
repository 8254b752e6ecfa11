#include "common/web/reply.h"

void reply_reset(struct reply *reply)
{
    reply->status = 0;
    reply->content_type = NULL;
    buf_cut(&reply->headers, 0);
    buf_cut(&reply->body, 0);
}

void reply_header(struct reply *reply, const char *name, struct slice value)
{
    buf_add_cstr(&reply->headers, name);
    buf_add(&reply->headers, SLICE(": "));
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] >= 0x20 && value.ptr[i] != 0x7F)
            buf_add_char(&reply->headers, value.ptr[i]);
    buf_add(&reply->headers, SLICE("\r\n"));
}

const char *http_status_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < COUNT(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}
