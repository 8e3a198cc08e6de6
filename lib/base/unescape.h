/* SPDX-License-Identifier: MIT */
/* The escapes of fstab(5) and /proc/self/mountinfo: a backslash and three octal digits. */
#ifndef IDM_BASE_UNESCAPE_H
#define IDM_BASE_UNESCAPE_H

#include <stdbool.h>

/* Returns the byte that an escape at `s` stands for, or -1 without an escape. */
int idm_escaped_byte(const char *s);

/* Undoes all escapes in place. Any other backslash stays. */
void idm_unescape(char *s);

/* Undoes all escapes in place. Returns false for a backslash that begins none, and for a NUL. */
bool idm_unescape_strictly(char *s);

#endif
