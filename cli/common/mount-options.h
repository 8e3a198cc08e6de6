/* SPDX-License-Identifier: MIT */
/* The words of -o: one table for the command, the mount(8) helper, the help and the listing. */
#ifndef IDM_CLI_COMMON_MOUNT_OPTIONS_H
#define IDM_CLI_COMMON_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

struct words {
	uint32_t set, clear; /* IDM_ATTR_* */
	enum idm_propagation propagation;
};

/* Takes one word of n characters, not NUL-terminated. False: there is no such word. */
bool take_word(struct words *words, const char *word, size_t n);

/* Whether the words say anything about the attribute. */
bool words_name(const struct words *words, uint32_t attribute);

#endif
