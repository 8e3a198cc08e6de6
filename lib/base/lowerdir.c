// SPDX-License-Identifier: MIT
#include "lowerdir.h"

#include <errno.h>
#include <stddef.h>

char *idm_next_piece(char **rest, char separator)
{
	char *piece = *rest, *from = piece, *to = piece;

	for (; *from && *from != separator; from++) {
		if (*from == '\\' && (from[1] == separator || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return piece;
}

int idm_split_lowerdir(char *list, int (*each)(char *path, bool data_only, void *data), void *data)
{
	bool data_only = false, first = true;

	while (list) {
		char *path = idm_next_piece(&list, ':');
		bool doubled = !*path && list && !first;
		int r;

		/* An empty piece is the inside of a double colon. */
		if (doubled) {
			data_only = true;
			path = idm_next_piece(&list, ':');
		}
		/* Once there is a data-only layer, no other kind can follow. */
		if (!*path || data_only != doubled)
			return -EINVAL;
		r = each(path, data_only, data);
		if (r)
			return r;
		first = false;
	}
	return 0;
}
