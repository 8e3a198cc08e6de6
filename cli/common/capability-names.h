/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_CAPABILITY_NAMES_H
#define IDM_CLI_COMMON_CAPABILITY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names are those of capabilities(7), without the prefix. */
struct capability_name {
	const char *name;
	unsigned int number;
	bool by_default; /* idmount run has it, as docker and containerd */
};

enum { CAPABILITY_NAMES = 41 };

extern const struct capability_name capability_names[CAPABILITY_NAMES];

/* The name of a number, or NULL for a newer one. */
const char *find_capability_name(unsigned int number);

#endif
