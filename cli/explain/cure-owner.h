/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_EXPLAIN_CURE_OWNER_H
#define IDM_CLI_EXPLAIN_CURE_OWNER_H

#include "verdict.h"

/*
 * Writes the command, without the path, that assigns the owner which the process may not assign.
 * False: the process may not do it afterwards either, or the caller's command would fail.
 */
bool describe_new_owner(const struct verdict *v, char *text, size_t size);

#endif
