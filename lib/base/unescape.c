// SPDX-License-Identifier: MIT
#include "unescape.h"

int idm_escaped_byte(const char *s)
{
	if (s[0] != '\\' || s[1] < '0' || s[1] > '3' || s[2] < '0' || s[2] > '7' || s[3] < '0' ||
	    s[3] > '7')
		return -1;
	return (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
}

void idm_unescape(char *s)
{
	char *to = s;

	while (*s) {
		int byte = idm_escaped_byte(s);

		*to++ = byte < 0 ? *s : (char)byte;
		s += byte < 0 ? 1 : 4;
	}
	*to = '\0';
}

bool idm_unescape_strictly(char *s)
{
	for (const char *p = s; *p; p++)
		if (*p == '\\' && idm_escaped_byte(p) <= 0)
			return false;
	idm_unescape(s);
	return true;
}
