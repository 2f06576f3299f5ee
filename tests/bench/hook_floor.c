/* The floor of a hook, and what measures both: one static program with three uses.
 *
 *   serve SOCKET FILE      the least a daemon does: take a request, one page made durable, a reply
 *   ask SOCKET             the least a hook does: stdin to the socket, the reply to stdout
 *   call CLIENTS ROUNDS OUT STDIN PROG [ARG..] [-- PROG [ARG..]]..
 *                          runs the programs in turn, ROUNDS times, in CLIENTS processes at once;
 *                          writes "NUMBER-OF-PROG MS-UNTIL-ANSWERED MS-OF-CPU" lines to OUT, and
 *                          "wall MS" at the end. A PROG with a + before it has one page made
 *                          durable after it. Each must end with 0 and print "allow" (+: nothing).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define REPLY "{\"permissionDecision\":\"allow\"}"

static void need(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void sync_page(int file) {
    static char page[4096];
    page[0]++;
    need(pwrite(file, page, sizeof page, 0) == sizeof page && fdatasync(file) == 0, "a page");
}

static struct sockaddr_un address(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, path, sizeof to.sun_path - 1);
    return to;
}

static int serve(char **words) {
    struct sockaddr_un at = address(words[0]);
    int door = socket(AF_UNIX, SOCK_STREAM, 0);
    int file = open(words[1], O_RDWR | O_CREAT, 0600);
    need(file >= 0 && bind(door, (void *)&at, sizeof at) == 0 && listen(door, 64) == 0, "serve");
    for (;;) {
        char request[65536];
        int peer = accept(door, 0, 0);
        if (read(peer, request, sizeof request) > 0) {
            sync_page(file);
            need(write(peer, REPLY, sizeof REPLY - 1) > 0, "a reply");
        }
        close(peer);
    }
}

static int ask(char **words) {
    char text[65536];
    struct sockaddr_un to = address(words[0]);
    ssize_t length = read(0, text, sizeof text);
    int peer = socket(AF_UNIX, SOCK_STREAM, 0);
    need(length > 0 && connect(peer, (void *)&to, sizeof to) == 0, "connect");
    need(write(peer, text, length) == length, "write");
    length = read(peer, text, sizeof text);
    need(length > 0 && write(1, text, length) == length, "answer");
    return 0;
}

/* One run from start to end; prints its line. */
static void run(int number, char **words, const char *input, int file, FILE *out) {
    char answer[4096];
    size_t got = 0;
    ssize_t count;
    int pipes[2], status, sync = words[0][0] == '+';
    pid_t pid;
    struct rusage used;
    posix_spawn_file_actions_t actions;
    need(pipe2(pipes, O_CLOEXEC) == 0, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    double start = now_ms();
    need(posix_spawn(&pid, words[0] + sync, &actions, 0, words, environ) == 0, words[0]);
    close(pipes[1]);
    while ((count = read(pipes[0], answer + got, sizeof answer - 1 - got)) > 0) got += count;
    need(wait4(pid, &status, 0, &used) == pid, "wait");
    if (sync) sync_page(file);
    double took = now_ms() - start;
    answer[got] = 0;
    if (status != 0 || (!sync && !strstr(answer, "\"allow\""))) {
        fprintf(out, "failed %s: status %d, %s\n", words[0], status, answer);
        exit(1);
    }
    struct timeval user = used.ru_utime, system = used.ru_stime;
    double cpu = (user.tv_sec + system.tv_sec) * 1e3 + (user.tv_usec + system.tv_usec) / 1e3;
    fprintf(out, "%d %.4f %.4f\n", number, took, cpu);
    close(pipes[0]);
    posix_spawn_file_actions_destroy(&actions);
}

static int call(char **words, int count) {
    int clients = atoi(words[0]), rounds = atoi(words[1]), programs = 0;
    char **program[16];
    for (int i = 4; i < count; i++) {
        if (i == 4 || strcmp(words[i - 1], "--") == 0) program[programs++] = words + i;
    }
    for (int i = 4; i < count; i++) {
        if (strcmp(words[i], "--") == 0) words[i] = 0;
    }
    double start = now_ms();
    for (int client = 0; client < clients; client++) {
        if (fork() != 0) continue;
        char name[4096];
        snprintf(name, sizeof name, "%s.page-%d", words[2], client);
        int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        FILE *out = fopen(words[2], "ae");
        setvbuf(out, 0, _IOLBF, 0); /* whole lines, so that clients do not tear each other's */
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < programs; i++) run(i, program[i], words[3], file, out);
        }
        fclose(out);
        _exit(0);
    }
    for (int client = 0; client < clients; client++) wait(0);
    FILE *out = fopen(words[2], "ae");
    fprintf(out, "wall %.4f\n", now_ms() - start);
    return fclose(out);
}

int main(int count, char **words) {
    need(count > 2, "usage: see the head of the source");
    if (strcmp(words[1], "serve") == 0) return serve(words + 2);
    if (strcmp(words[1], "ask") == 0) return ask(words + 2);
    return call(words + 2, count - 2);
}
