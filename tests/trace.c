/* Loaded before the C library, it records what a program changes below a folder, and what it tells.

   TRACE_FOLDER   the folder, an absolute path
   TRACE_FILE     the record: for every change a line `kind size1 size2 size3 number`, then a path
                  (size1 bytes), a second path (size2) and data (size3); power_loss.py reads it

   A process that sets these only later calls loaded_begin.

   A kind is create, truncate (to a number of bytes), write (at a place), rename (to the second
   path), unlink, mkdir, rmdir, sync, or told (what went to stdout or stderr). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *folder;
static int record = -1;

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) void loaded_begin(void)
{
    const char *file = getenv("TRACE_FILE");
    folder = getenv("TRACE_FOLDER");
    if (file && folder)
        record = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static int below(const char *path)
{
    return record >= 0 && !strncmp(path, folder, strlen(folder));
}

static void note(const char *kind, const char *path, const char *to, const void *data, size_t size,
                 long number)
{
    char line[100];
    int length = snprintf(line, sizeof line, "%s %zu %zu %zu %ld\n", kind, strlen(path), strlen(to),
                          size, number);
    struct iovec parts[] = {{line, length},
                            {(void *) path, strlen(path)},
                            {(void *) to, strlen(to)},
                            {(void *) data, size}};
    if (writev(record, parts, 4) < 0)
        _exit(99);
}

static const char *path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, 4095);
    path[size < 0 ? 0 : size] = 0;
    return path;
}

ssize_t write(int fd, const void *data, size_t size)
{
    char path[4096];
    ssize_t done = REAL(write)(fd, data, size);
    if (done > 0 && record >= 0 && (fd == 1 || fd == 2))
        note("told", "", "", data, done, 0);
    else if (done > 0 && below(path_of(fd, path)))
        note("write", path, "", data, done, lseek(fd, 0, SEEK_CUR) - done);
    return done;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        int ours = below(path), there = ours && !access(path, F_OK);                               \
        int fd = REAL(name)(path, flags, mode);                                                    \
        if (ours && fd >= 0 && !there)                                                             \
            note("create", path, "", "", 0, 0);                                                    \
        else if (ours && fd >= 0 && flags & O_TRUNC)                                               \
            note("truncate", path, "", "", 0, 0);                                                  \
        return fd;                                                                                 \
    }
OPEN(open)
OPEN(open64)

#define ON_PATH(name, parameters, arguments, to)                                                   \
    int name parameters                                                                            \
    {                                                                                              \
        int failed = REAL(name) arguments;                                                         \
        if (!failed && below(path))                                                                \
            note(#name, path, to, "", 0, 0);                                                       \
        return failed;                                                                             \
    }
ON_PATH(rename, (const char *path, const char *to), (path, to), to)
ON_PATH(unlink, (const char *path), (path), "")
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), "")
ON_PATH(rmdir, (const char *path), (path), "")

#define ON_FILE(name, parameters, arguments, kind, number)                                         \
    int name parameters                                                                            \
    {                                                                                              \
        char path[4096];                                                                           \
        int failed = REAL(name) arguments;                                                         \
        if (!failed && below(path_of(fd, path)))                                                   \
            note(kind, path, "", "", 0, number);                                                   \
        return failed;                                                                             \
    }
ON_FILE(fsync, (int fd), (fd), "sync", 0)
ON_FILE(ftruncate, (int fd, off_t size), (fd, size), "truncate", size)
ON_FILE(ftruncate64, (int fd, off64_t size), (fd, size), "truncate", size)
