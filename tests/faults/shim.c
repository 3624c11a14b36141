/* A preloaded library that lets the system calls of a program fail.
 *
 * Counts the calls that touch what lies under FAULT_UNDER, and strikes at number FAULT_AT:
 * FAULT_KIND is "kill" (the process ends before the call), "killed" (it ends after the call),
 * "short" (a write takes half), or the number of an error. Every call, and the strike, is a line in FAULT_LOG.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, FAIL, SHORT, KILLED };

static atomic_int count;
static char watched[4096];

static void note(const char *word, const char *name, const char *path) {
    const char *log = getenv("FAULT_LOG");
    char line[512];
    int len, fd;
    if (!log) return;
    len = snprintf(line, sizeof line, "%s %s %s\n", word, name, path ? path : "");
    fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, (size_t)(len < (int)sizeof line ? len : (int)sizeof line - 1));
    syscall(SYS_close, fd);
}

static void end_now(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); }

static int is_under(const char *path) {
    const char *under = getenv("FAULT_UNDER");
    size_t len = under ? strlen(under) : 0;
    return len && path && strncmp(path, under, len) == 0 && (path[len] == '/' || path[len] == 0);
}

static int is_watched(int fd) { return fd >= 0 && fd < (int)sizeof watched && watched[fd]; }

/* Counts a call; says what is to become of it, with errno set. */
static int strike(const char *name, const char *path) {
    const char *at = getenv("FAULT_AT"), *kind = getenv("FAULT_KIND");
    int number = atomic_fetch_add(&count, 1);
    note("call", name, path);
    if (!at || !kind || number != atoi(at)) return NOTHING;
    note("fired", name, path);
    if (strcmp(kind, "kill") == 0) end_now();
    if (strcmp(kind, "killed") == 0) return KILLED;
    if (strcmp(kind, "short") == 0) return SHORT;
    errno = atoi(kind);
    return FAIL;
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define DO(name, path, failed, call) \
    int fate = strike(name, path); \
    if (fate == FAIL) return failed; \
    __auto_type result = call; \
    if (fate == KILLED) end_now(); \
    return result

static int opened(int fd) {
    if (fd >= 0 && fd < (int)sizeof watched) watched[fd] = 1;
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (!is_under(path)) return real(path, flags, mode); \
        DO("open", path, -1, opened(real(path, flags, mode))); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(int, #name, int, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (!is_under(path)) return real(folder, path, flags, mode); \
        DO("open", path, -1, opened(real(folder, path, flags, mode))); \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(int, "close", int);
    if (is_watched(fd)) watched[fd] = 0;
    return real(fd);
}

/* A shell moves what it opened to where the program looks for it. */
int dup2(int from, int to) {
    REAL(int, "dup2", int, int);
    int fd = real(from, to);
    if (fd >= 0 && fd < (int)sizeof watched) watched[fd] = is_watched(from);
    return fd;
}

int fcntl(int fd, int command, ...) {
    REAL(int, "fcntl", int, int, ...);
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    int result = real(fd, command, argument);
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && is_watched(fd)) opened(result);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (!is_watched(fd)) return real(fd, bytes, len);
    int fate = strike("write", 0);
    if (fate == FAIL) return -1;
    ssize_t result = real(fd, bytes, fate == SHORT ? len / 2 : len);
    if (fate == KILLED) end_now();
    return result;
}

#define FD(name) \
    int name(int fd) { \
        REAL(int, #name, int); \
        if (!is_watched(fd)) return real(fd); \
        DO(#name, 0, -1, real(fd)); \
    }
FD(fsync)
FD(fdatasync)

int flock(int fd, int operation) {
    REAL(int, "flock", int, int);
    if (!is_watched(fd)) return real(fd, operation);
    DO("flock", 0, -1, real(fd, operation));
}

ssize_t read(int fd, void *bytes, size_t len) {
    REAL(ssize_t, "read", int, void *, size_t);
    if (!is_watched(fd)) return real(fd, bytes, len);
    int fate = strike("read", 0);
    if (fate == FAIL) return -1;
    ssize_t result = real(fd, bytes, fate == SHORT ? (len + 1) / 2 : len);
    if (fate == KILLED) end_now();
    return result;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (!is_under(from) && !is_under(to)) return real(from, to);
    DO("rename", to, -1, real(from, to));
}

#define PATH(name) \
    int name(const char *path) { \
        REAL(int, #name, const char *); \
        if (!is_under(path)) return real(path); \
        DO(#name, path, -1, real(path)); \
    }
PATH(unlink)
PATH(rmdir)

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    if (!is_under(path)) return real(path, mode);
    DO("mkdir", path, -1, real(path, mode));
}

int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *);
    if (!is_under(from) && !is_under(to)) return real(from, to);
    DO("link", to, -1, real(from, to));
}

#define TRUNCATE(name, offset) \
    int name(int fd, offset len) { \
        REAL(int, #name, int, offset); \
        if (!is_watched(fd)) return real(fd, len); \
        DO("ftruncate", 0, -1, real(fd, len)); \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

/* Of a path, or of what is open: then the path is empty. */
int statx(int folder, const char *path, int flags, unsigned mask, struct statx *out) {
    REAL(int, "statx", int, const char *, int, unsigned, struct statx *);
    int is_open = !*path && is_watched(folder);
    if (!is_open && !is_under(path)) return real(folder, path, flags, mask, out);
    DO("statx", path, -1, real(folder, path, flags, mask, out));
}

/* The library opens and reads folders by calls of its own: they are met here. */
DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", const char *);
    if (!is_under(path)) return real(path);
    int fate = strike("opendir", path);
    if (fate == FAIL) return 0;
    DIR *folder = real(path);
    if (folder) opened(dirfd(folder));
    if (fate == KILLED) end_now();
    return folder;
}

struct dirent64 *readdir64(DIR *folder) {
    REAL(struct dirent64 *, "readdir64", DIR *);
    if (!is_watched(dirfd(folder))) return real(folder);
    DO("readdir", 0, 0, real(folder));
}

int closedir(DIR *folder) {
    REAL(int, "closedir", DIR *);
    int fd = dirfd(folder);
    if (is_watched(fd)) watched[fd] = 0;
    return real(folder);
}
