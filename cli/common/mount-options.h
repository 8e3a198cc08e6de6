/* SPDX-License-Identifier: MIT */
/* Reads the options of -o, for all programs. Their table is in lib/base/mount-attr.c. */
#ifndef IDM_CLI_COMMON_MOUNT_OPTIONS_H
#define IDM_CLI_COMMON_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

struct mount_options {
	uint32_t set, clear; /* IDM_ATTR_* */
	enum idm_propagation propagation;
};

/* Adds one option of n characters, not NUL-terminated. Returns false if it is unknown. */
bool add_mount_option(struct mount_options *mount_options, const char *option, size_t n);

/*
 * Returns whether an option of n characters is NAME=VALUE, and add_mount_option() knows NAME. None of
 * these options accepts a value.
 */
bool has_wrong_value(const char *option, size_t n);

struct suggestion;

/* Compares the names of all these options. */
void suggest_mount_options(struct suggestion *s);

/* Reports such an option, after the text `where`. Returns USAGE. */
int report_wrong_value(const char *where, const char *option, size_t n);

#endif
