// SPDX-License-Identifier: MIT
#include "quoted-options.h"

#include <stddef.h>

bool quotes_are_closed(const char *list)
{
	bool quoted = false;

	for (; *list; list++)
		quoted ^= *list == '"';
	return !quoted;
}

char *cut_quoted_option(char **list)
{
	char *option = *list, *from = option, *to = option;
	bool quoted = false;

	if (!option || !*option)
		return NULL;
	for (; *from && (quoted || *from != ','); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*list = *from ? from + 1 : from;
	*to = '\0';
	return option;
}
