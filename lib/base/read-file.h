/* SPDX-License-Identifier: MIT */
#ifndef IDM_BASE_READ_FILE_H
#define IDM_BASE_READ_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads to the end of the file, or until `buf` is full. Returns the number of bytes, or the -errno of
 * read(2). */
ssize_t idm_read_all(int fd, void *buf, size_t size);

/* As many bytes as the readers of JSON take. */
#define IDM_READ_FILE_MOST (16UL << 20)

/*
 * Reads an open file to its end. *text is NUL-terminated and the caller's to free(); *length is without
 * the NUL. Returns 0, -EFBIG for more than `most` bytes, -ENOMEM, or the -errno of read(2); *text is
 * NULL then.
 */
int idm_read_file(int fd, size_t most, char **text, size_t *length);

#endif
