// talk SEED - writes down a conversation of a docker client with a daemon, another one for each seed: into the file
// `asked` what the client sends over its connection, into `came` what the daemon answers. What it costs is for you to
// measure.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long state;
static FILE *asked, *came;
static char id[65];

static unsigned dice(unsigned below)
{
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(state >> 33) % below;
}

static void ask(const char *method, const char *target, const char *body)
{
    fprintf(asked, "%s %s HTTP/1.1\r\nHost: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\n", method,
            target);
    for (unsigned n = dice(3); n > 0; n--)
        fprintf(asked, "X-Note: %.*s\r\n", 1 + (int)dice(40), "a calf is a young whale; a pod is a school of whales");
    if (body)
        fprintf(asked, "Content-Type: application/json\r\n%s: %zu\r\n", dice(2) ? "Content-Length" : "content-length",
                strlen(body));
    fprintf(asked, "\r\n%s", body ? body : "");
}

// With length -1 neither a length is told nor a body sent. The answer to HEAD tells the length and has no body.
static void say(const char *status, int length, const char *body)
{
    fprintf(came, "HTTP/1.1 %s\r\nApi-Version: 1.44\r\n", status);
    if (length >= 0)
        fprintf(came, "Content-Type: application/json\r\nContent-Length: %d\r\n", length);
    fprintf(came, "\r\n%s", body);
}

static void list(void)
{
    char body[256];
    ask("GET", "/v1.44/containers/json?all=1", NULL);
    snprintf(body, sizeof body, "[{\"Id\":\"%s\",\"Command\":\"grep HTTP/1.1\",\"State\":\"running\"}]", id);
    say("200 OK", (int)strlen(body), body);
}

// An image that the daemon does not have is answered with 404.
static void create(const char *image, int there)
{
    char target[64], body[512];
    snprintf(target, sizeof target, "/v1.44/containers/create?name=pod%u", dice(1000));
    snprintf(body, sizeof body,
             "{\"Image\":\"%s\",\"Cmd\":[\"printf\",\"GET /_ping HTTP/1.1\\r\\n\\r\\n\"],\"Env\":[\"N=%.*s\"]}", image,
             1 + (int)dice(60), "123456789012345678901234567890123456789012345678901234567890");
    ask("POST", target, body);
    if (there)
        snprintf(body, sizeof body, "{\"Id\":\"%s\",\"Warnings\":[]}", id);
    else
        snprintf(body, sizeof body, "{\"message\":\"No such image: %s\"}", image);
    say(there ? "201 Created" : "404 Not Found", (int)strlen(body), body);
}

static void start(const char *status)
{
    char target[128];
    snprintf(target, sizeof target, "/v1.44/containers/%s/start", id);
    ask("POST", target, NULL);
    say(status, -1, "");
}

// Frames, one after the other, and the whole cut into chunks without regard for where a frame ends.
static void logs(void)
{
    static const char *const words[] = {"HTTP/1.1 404 Not Found\r\n\r\n", "one\n", "two words\n", "\r\n",
                                        "a longer line of output\n"};
    static char all[65536];
    char target[128];
    size_t n = 0;
    snprintf(target, sizeof target, "/v1.44/containers/%s/logs?stdout=1&stderr=1&follow=1", id);
    ask("GET", target, NULL);
    fprintf(came, "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (unsigned frames = 12 + dice(20); frames > 0; frames--) {
        size_t length = 0;
        for (unsigned lines = 1 + dice(30); lines > 0; lines--) {
            const char *line = words[dice(5)];
            memcpy(all + n + 8 + length, line, strlen(line));
            length += strlen(line);
        }
        memcpy(all + n, (char[8]){dice(3) ? 1 : 2, 0, 0, 0, 0, 0, (char)(length >> 8), (char)length}, 8);
        n += 8 + length;
    }
    for (size_t done = 0, size; done < n; done += size) {
        size = 1 + dice(900);
        size = size < n - done ? size : n - done;
        fprintf(came, "%zx\r\n", size);
        fwrite(all + done, 1, size, came);
        fprintf(came, "\r\n");
    }
    fprintf(came, "0\r\n\r\n");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: talk SEED");
    state = strtoul(argv[1], NULL, 10) * 2654435761ul + 1;
    dice(2);
    for (int i = 0; i < 64; i++)
        id[i] = "0123456789abcdef"[dice(16)];
    if (!(asked = fopen("asked", "w")) || !(came = fopen("came", "w")))
        err(1, "asked, came");
    ask("HEAD", "/_ping", NULL);
    say("200 OK", 2, "");
    for (unsigned n = dice(3); n > 0; n--)
        create("calf", 0);
    create("debian", 1);
    start("204 No Content");
    for (unsigned n = dice(4); n > 0; n--)
        list();
    logs();
    for (unsigned n = 1 + dice(2); n > 0; n--)
        start("304 Not Modified");
    for (unsigned n = dice(3); n > 0; n--)
        create("pod", 0);
    if (fclose(asked) != 0 || fclose(came) != 0)
        err(1, "asked, came");
    return 0;
}
