/* Paths in messages between the daemon and gorae-archive: see archiveproto.h. */
#include "base/archiveproto.h"
#include "base/str.h"

json_t *archiveproto_escape(const char *path)
{
    autostr text = STR_INIT;
    str_reset(&text);
    for (; *path; path++) {
        if (*path == '%' || (*path & 0x80))
            str_addf(&text, "%%%02x", (unsigned char)*path);
        else
            str_addc(&text, *path);
    }
    return json_string(text.s);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *archiveproto_unescape(const json_t *j)
{
    autostr path = STR_INIT;
    const char *s = json_string_value(j);
    if (!s)
        return NULL;
    str_reset(&path);
    for (; *s; s++) {
        if (*s != '%') {
            str_addc(&path, *s);
            continue;
        }
        int high = digit(s[1]), low = high < 0 ? -1 : digit(s[2]);
        if (low < 0 || (high == 0 && low == 0))
            return NULL;
        str_addc(&path, (char)(high << 4 | low));
        s += 2;
    }
    return str_take(&path);
}
