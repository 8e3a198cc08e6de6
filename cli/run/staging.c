// SPDX-License-Identifier: MIT
/*
 * On a host with many mounts, one copy of the mount table serves the whole call. Without it, the start
 * of the container makes two copies, and an overlay before Linux 6.15 a third one.
 */
#include <fcntl.h>
#include <unistd.h>

#include "run.h"

/* With fewer, a second copy costs less than a staging namespace. */
#define MANY_MOUNTS 256

static size_t count_lines(const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += text[i] == '\n';
	return n;
}

/* Reads no further than necessary. */
static bool has_many_mounts(void)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t lines = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (lines < MANY_MOUNTS && (n = read(fd, text, sizeof(text))) > 0)
		lines += count_lines(text, (size_t)n);
	close(fd);
	return lines >= MANY_MOUNTS;
}

int run_open_staging(void)
{
	int fd = has_many_mounts() ? idm_staging_open(0, NULL) : -1;

	return fd < 0 ? -1 : fd;
}
