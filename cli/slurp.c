// SPDX-License-Identifier: MIT
#include "slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

bool slurp(int fd, char **text, size_t *length)
{
	size_t room = 0;

	*length = 0;
	for (;;) {
		ssize_t n;

		if (*length == room) {
			char *more = realloc(*text, room += room ? room : 65536);

			if (!more)
				return false;
			*text = more;
		}
		n = read(fd, *text + *length, room - *length);
		if (n < 0 && errno != EINTR)
			return false;
		*length += n > 0 ? (size_t)n : 0;
		if (n == 0 || *length >= MOST_BYTES)
			return true;
	}
}

bool is_input(const char *file)
{
	return strcmp(file, "-") == 0;
}

const char *input_name(const char *file)
{
	return is_input(file) ? "standard input" : file;
}

int read_file(const char *file, char **text, size_t *length)
{
	int fd = is_input(file) ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC), status = DONE;

	*text = NULL;
	*length = 0;
	if (fd < 0 || !slurp(fd, text, length)) {
		status = report_failure("%s: read: %s", input_name(file), strerror(errno));
		free(*text);
		*text = NULL;
	}
	if (fd >= 0 && !is_input(file))
		close(fd);
	return status;
}
