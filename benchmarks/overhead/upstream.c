/* An upstream in OpenAI's shape that costs next to nothing, so that what stands before it is what is
 * measured. One thread, epoll, answers written once and kept.
 *
 *   upstream PORT LATENCY_MS TOKENS CHUNKS GAP_US
 *
 * POST (any path): a chat completion of n choices of TOKENS words each, or as many SSE streams of
 * CHUNKS chunks, GAP_US apart; every third choice ends in another number than the others.
 * GET /stats: requests and choices so far. GET (any other path): one model, `mock`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 16384, MAX_N = 64, MAX_CHUNKS = 1024, RING = 1 << 18, EVENTS = 256 };

struct text { char *at; size_t size, room; };

/* What waits to be written on a connection: answer `n`, from its `chunk` on. */
struct due { int64_t time; int fd, n, stream, chunk; uint32_t life; };
struct ring { struct due of[RING]; uint32_t first, end; };

struct connection { struct text in, out; size_t sent; uint32_t life; int open, blocked; };

static struct connection connections[MAX_FD];
static struct ring waiting, streaming; /* each in the order of its times, as every wait is equal */
static struct text answers[MAX_N + 1], streams[MAX_N + 1], models;
static size_t starts[MAX_N + 1][MAX_CHUNKS + 1]; /* where each chunk of a stream begins */
static long latency_us, gap_us, requests, choices;
static int poller, tokens, chunks;

static void append(struct text *text, const char *bytes, size_t size)
{
    if (text->size + size + 1 > text->room) {
        text->room = 2 * (text->size + size) + 1024;
        if (!(text->at = realloc(text->at, text->room))) abort();
    }
    memcpy(text->at + text->size, bytes, size);
    text->size += size;
    text->at[text->size] = 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct text *text, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    append(text, line, (size_t)size);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void answer_json(struct text *into, const struct text *body)
{
    say(into, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
        body->size);
    append(into, body->at, body->size);
}

static void write_answer(int n)
{
    struct text body = {0};
    say(&body, "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1750000000,"
               "\"model\":\"mock\",\"choices\":[");
    for (int i = 0; i < n; i++) {
        say(&body, "%s{\"index\":%d,\"message\":{\"role\":\"assistant\",\"content\":\"", i ? "," : "", i);
        for (int word = 0; word < tokens; word++) say(&body, "%s%s", word ? " " : "", "step");
        say(&body, "\\nThe answer is: %d\"},\"logprobs\":null,\"finish_reason\":\"stop\"}",
            i % 3 == 2 ? 17 : 42);
    }
    say(&body, "],\"usage\":{\"prompt_tokens\":32,\"completion_tokens\":%d,\"total_tokens\":%d}}",
        tokens * n, 32 + tokens * n);
    answer_json(&answers[n], &body);
    free(body.at);
}

static void write_stream(int n)
{
    struct text *out = &streams[n];
    say(out, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
             "transfer-encoding: chunked\r\n\r\n");
    for (int chunk = 0; chunk < chunks; chunk++) {
        if (chunk) starts[n][chunk] = out->size;
        for (int i = 0; i < n; i++) {
            char event[512];
            int size = snprintf(event, sizeof event,
                "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":"
                "1750000000,\"model\":\"mock\",\"choices\":[{\"index\":%d,\"delta\":{\"content\":"
                "\" word%d\"},\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
                i, chunk, chunk + 1 < chunks ? "null" : "\"stop\"");
            say(out, "%x\r\n%s\r\n", (unsigned)size, event);
        }
    }
    say(out, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    starts[n][chunks] = out->size;
}

static void watch(int fd, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(poller, operation, fd, &event);
}

static void hang_up(int fd)
{
    struct connection *it = &connections[fd];
    free(it->in.at);
    free(it->out.at);
    *it = (struct connection){.life = it->life + 1};
    close(fd);
}

static void send_out(int fd)
{
    struct connection *it = &connections[fd];
    while (it->sent < it->out.size) {
        ssize_t size = send(fd, it->out.at + it->sent, it->out.size - it->sent, MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN) {
            if (!it->blocked) watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            it->blocked = 1;
            return;
        }
        if (size < 0) { hang_up(fd); return; }
        it->sent += (size_t)size;
    }
    it->sent = it->out.size = 0;
    if (it->blocked) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
    it->blocked = 0;
}

static void put_off(struct ring *ring, struct due due) { ring->of[ring->end++ % RING] = due; }

static void answer(struct due due)
{
    struct connection *it = &connections[due.fd];
    if (!it->open || it->life != due.life) return;
    if (!due.stream) {
        append(&it->out, answers[due.n].at, answers[due.n].size);
    } else {
        int until = gap_us ? due.chunk + 1 : chunks;
        size_t from = starts[due.n][due.chunk];
        append(&it->out, streams[due.n].at + from, starts[due.n][until] - from);
        if (until < chunks) {
            due.time += gap_us;
            due.chunk = until;
            put_off(&streaming, due);
        }
    }
    send_out(due.fd);
}

static long number(const char *bytes, size_t size, const char *key, long otherwise)
{
    const char *at = memmem(bytes, size, key, strlen(key));
    if (!at) return otherwise;
    at += strlen(key);
    while (*at == ' ' || *at == ':') at++;
    return !strncmp(at, "true", 4) ? 1 : atol(at);
}

static void serve_post(int fd, const char *body, size_t size)
{
    long n = number(body, size, "\"n\"", 1);
    n = n < 1 ? 1 : n > MAX_N ? MAX_N : n;
    requests++;
    choices += n;
    struct due due = {.time = now() + latency_us, .fd = fd, .n = (int)n,
                      .stream = (int)number(body, size, "\"stream\"", 0),
                      .life = connections[fd].life};
    if (latency_us) put_off(&waiting, due);
    else answer(due);
}

static void serve_get(int fd, const char *head)
{
    struct connection *it = &connections[fd];
    if (!strncmp(head, "GET /stats ", 11)) {
        struct text body = {0};
        say(&body, "{\"requests\":%ld,\"choices\":%ld}", requests, choices);
        answer_json(&it->out, &body);
        free(body.at);
    } else {
        append(&it->out, models.at, models.size);
    }
    send_out(fd);
}

/* Serve every whole request that has come in; bodies need a content-length. */
static void serve(int fd)
{
    struct connection *it = &connections[fd];
    char *blank;
    while (it->open && it->in.size && (blank = memmem(it->in.at, it->in.size, "\r\n\r\n", 4))) {
        size_t head = (size_t)(blank - it->in.at) + 4, length = 0;
        char *line = strcasestr(it->in.at, "\r\ncontent-length:");
        if (line && line < blank) length = strtoul(line + 17, NULL, 10);
        if (it->in.size < head + length) return;
        char *request = it->in.at;
        struct text rest = {0};
        append(&rest, request + head + length, it->in.size - head - length);
        it->in = rest;
        if (*request == 'P') serve_post(fd, request + head, length);
        else serve_get(fd, request);
        free(request);
    }
}

static void receive(int fd)
{
    char bytes[65536];
    ssize_t size = recv(fd, bytes, sizeof bytes, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) { hang_up(fd); return; }
    append(&connections[fd].in, bytes, (size_t)size);
    serve(fd);
}

static void accept_all(int listener)
{
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FD) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[fd].open = 1;
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* Do what is due of a ring, and lower `*next` to when its next is. */
static void run_due(struct ring *ring, int64_t *next)
{
    while (ring->first != ring->end && ring->of[ring->first % RING].time <= now())
        answer(ring->of[ring->first++ % RING]);
    if (ring->first != ring->end && ring->of[ring->first % RING].time < *next)
        *next = ring->of[ring->first % RING].time;
}

static int listen_on(int port)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("listen");
        exit(1);
    }
    return listener;
}

int main(int count, char **words)
{
    if (count != 6) { fprintf(stderr, "upstream PORT LATENCY_MS TOKENS CHUNKS GAP_US\n"); return 2; }
    latency_us = (long)(atof(words[2]) * 1000);
    tokens = atoi(words[3]);
    chunks = atoi(words[4]);
    gap_us = atol(words[5]);
    if (chunks < 1 || chunks > MAX_CHUNKS) return 2;
    struct text told = {0};
    say(&told, "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":"
               "1750000000,\"owned_by\":\"mock\",\"max_model_len\":32768}]}");
    answer_json(&models, &told);
    for (int n = 1; n <= MAX_N; n++) { write_answer(n); write_stream(n); }
    int listener = listen_on(atoi(words[1]));
    poller = epoll_create1(0);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int64_t next = INT64_MAX;
        run_due(&waiting, &next);
        run_due(&streaming, &next);
        int64_t left = next == INT64_MAX ? 0 : next - now();
        if (left < 0) left = 0;
        struct timespec wait = {left / 1000000, left % 1000000 * 1000};
        struct epoll_event events[EVENTS];
        int some = epoll_pwait2(poller, events, EVENTS, next == INT64_MAX ? NULL : &wait, NULL);
        for (int i = 0; i < some; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) { accept_all(listener); continue; }
            if (connections[fd].open && events[i].events & EPOLLOUT) send_out(fd);
            if (connections[fd].open && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(fd);
        }
    }
}
