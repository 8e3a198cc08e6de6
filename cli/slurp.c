// SPDX-License-Identifier: MIT
#include "slurp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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
