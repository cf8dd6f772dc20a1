/* The bound for any language: sockets, and a loop that calls send() on each. `bare PORT`, told on standard input.
 * `burst MARK FIRST LAST SIZE`: to every socket so many frames of so many bytes, one send() per socket and frame; it
 * answers with the time at which it began. `more …` does the same without an answer. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_MEMBERS = 100000, MOST_BYTES = 1 << 16 };

static const char answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static int members[MOST_MEMBERS];
static volatile int count;

static void *accept_all(void *listener) {
    char request[4096];
    int on = 1;
    for (;;) {
        int fd = accept(*(int *)listener, NULL, NULL);
        size_t got = 0;
        ssize_t more;
        while ((more = recv(fd, request + got, sizeof request - got, 0)) > 0) {
            got += (size_t)more;
            if (got >= 4 && memcmp(request + got - 4, "\r\n\r\n", 4) == 0) break;
        }
        if (more <= 0 || count == MOST_MEMBERS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) > 0) members[count++] = fd;
    }
    return NULL;
}

static size_t frame_of(unsigned char *frame, const char *mark, int number, int size) {
    char text[32];
    size_t header = size > 125 ? 4 : 2;
    frame[0] = 0x81;
    frame[1] = size > 125 ? 126 : (unsigned char)size;
    if (size > 125) {
        frame[2] = (unsigned char)(size >> 8);
        frame[3] = (unsigned char)size;
    }
    memset(frame + header, 'x', (size_t)size);
    memcpy(frame + header, text, (size_t)snprintf(text, sizeof text, "%s%08d.", mark, number));
    return header + (size_t)size;
}

int main(int argc, char **argv) {
    static unsigned char frame[MOST_BYTES + 4];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, first, last, size;
    char word[6], mark[16];
    pthread_t acceptor;
    if (argc < 2) return 2;
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) return 1;
    pthread_create(&acceptor, NULL, accept_all, &listener);
    while (scanf(" %5s %15s %d %d %d", word, mark, &first, &last, &size) == 5) {
        struct timespec now;
        if (size < 32 || size >= MOST_BYTES) return 2;
        if (!strcmp(word, "burst")) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            printf("%.9f\n", (double)now.tv_sec + (double)now.tv_nsec / 1e9);
            fflush(stdout);
        }
        for (int number = first; number < last; number++) {
            size_t bytes = frame_of(frame, mark, number, size);
            for (int member = 0; member < count; member++) send(members[member], frame, bytes, MSG_NOSIGNAL);
        }
    }
    return 0;
}
