/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes files shared with other processes without ever waiting. O_NONBLOCK belongs to the
 * open file description. The caller's shell would later get EAGAIN from its own standard input.
 */
#ifndef IDM_CLI_RUN_NONBLOCK_H
#define IDM_CLI_RUN_NONBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct nonblock {
	int fd;	 /* the caller's: for poll() */
	int own; /* the same file, opened again with O_NONBLOCK; -1: impossible */
	bool socket;
	size_t most; /* what can be written at once when poll() promises anything */
};

/* `mode` is O_RDONLY or O_WRONLY. */
void nonblock_begin(struct nonblock *n, int fd, int mode);
void nonblock_end(struct nonblock *n);

/* As read(2) and write(2), to be called after poll(2). EAGAIN: no data or space yet. */
ssize_t nonblock_read(const struct nonblock *n, void *buf, size_t size);
ssize_t nonblock_write(const struct nonblock *n, const void *buf, size_t size);

#endif
