/* Loaded before the C library, it makes the n-th system call on files below a folder go wrong.

   FAULT_FOLDER   the folder, an absolute path
   FAULT_COUNT    a file of 8 bytes in which all processes count these calls together
   FAULT_AT       n, from 1; 0 only counts, and lists the calls in the file FAULT_COUNT.calls
   FAULT_KIND     kill, short, or the number of an error

   The call that was hit and its path are written to the file FAULT_COUNT.hit. A process that sets
   these only later, or for a while, calls loaded_begin and loaded_end. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder, *kind;
static volatile long *count;
static long at;

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) void loaded_begin(void)
{
    const char *file = getenv("FAULT_COUNT"), *n = getenv("FAULT_AT");
    if (!file || !n || !getenv("FAULT_FOLDER") || !getenv("FAULT_KIND"))
        return;
    int fd = REAL(open)(file, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *page = mmap(0, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REAL(close)(fd);
    if (page == MAP_FAILED)
        return;
    kind = getenv("FAULT_KIND"), at = atol(n), folder = getenv("FAULT_FOLDER");
    count = page;
}

void loaded_end(void)
{
    count = NULL;
}

/* Whether this call on this path is to fail: 0, or 1 with errno set. A kill does not return. */
static int fails(const char *call, const char *path)
{
    if (!count || !path || strncmp(path, folder, strlen(folder)))
        return 0;
    if (__sync_add_and_fetch(count, 1) != at && at)
        return 0;
    char line[4200];
    int size = snprintf(line, sizeof line, at ? "%s.hit" : "%s.calls", getenv("FAULT_COUNT"));
    if (size > 0 && size < (int) sizeof line) {
        int fd = REAL(open)(line, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        size = snprintf(line, sizeof line, "%s %s\n", call, path);
        if (fd >= 0 && REAL(write)(fd, line, size) == size)
            REAL(close)(fd);
    }
    if (!at)
        return 0;
    if (!strcmp(kind, "kill"))
        kill(getpid(), SIGKILL);
    if (strcmp(kind, "short"))
        errno = atoi(kind);
    return 1;
}

static int fails_on(const char *call, int fd)
{
    if (!count)
        return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = 0;
    return fails(call, path);
}

/* Half of what was asked, of a read or a write; an error of anything else. */
#define SHORT(size) (count && !strcmp(kind, "short") ? (size) / 2 + (size) % 2 : 0)

ssize_t write(int fd, const void *data, size_t size)
{
    if (fails_on("write", fd)) {
        size_t half = SHORT(size);
        return half ? REAL(write)(fd, data, half) : -1;
    }
    return REAL(write)(fd, data, size);
}

ssize_t read(int fd, void *data, size_t size)
{
    if (fails_on("read", fd)) {
        size_t half = SHORT(size);
        return half ? REAL(read)(fd, data, half) : -1;
    }
    return REAL(read)(fd, data, size);
}

/* A short count means nothing to the calls below: they are let through. */
#define STOPS(failed) ((failed) && strcmp(kind, "short"))

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        return STOPS(fails("open", path)) ? -1 : REAL(name)(path, flags, mode);                    \
    }
OPEN(open)
OPEN(open64)

#define ON_PATH(name, parameters, arguments)                                                       \
    int name parameters                                                                            \
    {                                                                                              \
        return STOPS(fails(#name, path)) ? -1 : REAL(name) arguments;                              \
    }
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(unlink, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(stat, (const char *restrict path, struct stat *restrict found), (path, found))
ON_PATH(stat64, (const char *restrict path, struct stat64 *restrict found), (path, found))
ON_PATH(lstat, (const char *restrict path, struct stat *restrict found), (path, found))
ON_PATH(lstat64, (const char *restrict path, struct stat64 *restrict found), (path, found))

#define ON_FILE(type, name, parameters, arguments)                                                 \
    type name parameters                                                                           \
    {                                                                                              \
        return STOPS(fails_on(#name, fd)) ? -1 : REAL(name) arguments;                             \
    }
ON_FILE(int, fsync, (int fd), (fd))
ON_FILE(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FILE(int, flock, (int fd, int how), (fd, how))
ON_FILE(int, fstat, (int fd, struct stat *found), (fd, found))
ON_FILE(int, fstat64, (int fd, struct stat64 *found), (fd, found))
ON_FILE(off_t, lseek, (int fd, off_t to, int from), (fd, to, from))
ON_FILE(off64_t, lseek64, (int fd, off64_t to, int from), (fd, to, from))

int close(int fd)
{
    int failed = STOPS(fails_on("close", fd)), why = errno, ended = REAL(close)(fd);
    if (failed)
        errno = why; /* closed it is all the same */
    return failed ? -1 : ended;
}

DIR *opendir(const char *path)
{
    return STOPS(fails("opendir", path)) ? NULL : REAL(opendir)(path);
}

/* The C library asks the system for many names at a time. Which entry is the first of them depends
   on its buffer: here it may be any, and the end, which takes a call of its own. */
#define READDIR(type, name)                                                                        \
    struct type *name(DIR *dir)                                                                    \
    {                                                                                              \
        return STOPS(fails_on("readdir", dirfd(dir))) ? NULL : REAL(name)(dir);                    \
    }
READDIR(dirent, readdir)
READDIR(dirent64, readdir64)
