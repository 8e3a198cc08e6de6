// SPDX-License-Identifier: MIT
#include "read-file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "macros.h"

#define FIRST_BYTES 4096UL

/* Ensures space for at least one more byte and a NUL. */
static int reserve_space(char **text, size_t length, size_t *capacity)
{
	char *more;

	if (length + 1 < *capacity)
		return 0;
	*capacity = *capacity ? 2 * *capacity : FIRST_BYTES;
	more = realloc(*text, *capacity);
	if (!more)
		return -ENOMEM;
	*text = more;
	return 0;
}

/* As idm_sys_read(), which code of the commands may not use: a negative errno, and errno as it was. */
static ssize_t read_some(int fd, char *to, size_t size)
{
	int saved = errno;
	ssize_t n;

	do
		n = read(fd, to, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	errno = saved;
	return n;
}

ssize_t idm_read_all(int fd, void *buf, size_t size)
{
	size_t length = 0;
	ssize_t n = 1;

	while (length < size && n > 0) {
		n = read_some(fd, (char *)buf + length, size - length);
		if (n < 0)
			return n;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

int idm_read_file(int fd, size_t most, char **text, size_t *length)
{
	AUTO_FREE char *read_so_far = NULL;
	size_t capacity = 0;
	ssize_t n;

	*text = NULL;
	*length = 0;
	do {
		int r = reserve_space(&read_so_far, *length, &capacity);

		if (r < 0)
			return r;
		n = read_some(fd, read_so_far + *length, capacity - *length - 1);
		if (n < 0)
			return (int)n;
		*length += (size_t)n;
		if (*length > most)
			return -EFBIG;
	} while (n != 0);
	read_so_far[*length] = '\0';
	*text = read_so_far;
	read_so_far = NULL;
	return 0;
}
