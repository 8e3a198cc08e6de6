// SPDX-License-Identifier: MIT
#include "nonblock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int reopen(int fd, int mode)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Regular files, /dev/null and the like are always ready, and are read and written as they are. */
void nonblock_begin(struct nonblock *n, int fd, int mode)
{
	struct stat st;

	*n = (struct nonblock){ .fd = fd, .own = -1, .most = SIZE_MAX };
	if (fstat(fd, &st) < 0)
		return;
	n->socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !isatty(fd))
		return;
	n->own = reopen(fd, mode);
	/* It may belong to another user. A pipe has room for this much then, a terminal for a byte. */
	if (n->own < 0)
		n->most = S_ISFIFO(st.st_mode) ? PIPE_BUF : 1;
}

void nonblock_end(struct nonblock *n)
{
	if (n->own >= 0)
		close(n->own);
	n->own = -1;
}

ssize_t nonblock_read(const struct nonblock *n, void *buf, size_t size)
{
	if (n->socket)
		return recv(n->fd, buf, size, MSG_DONTWAIT);
	return read(n->own >= 0 ? n->own : n->fd, buf, size);
}

ssize_t nonblock_write(const struct nonblock *n, const void *buf, size_t size)
{
	if (size > n->most)
		size = n->most;
	if (n->socket)
		return send(n->fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(n->own >= 0 ? n->own : n->fd, buf, size);
}
