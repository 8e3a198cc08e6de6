/* SPDX-License-Identifier: MIT */
/* A filesystem mounted anew, by descriptor. */
#ifndef IDM_FILESYSTEM_H
#define IDM_FILESYSTEM_H

#include "plan.h"

/* The filesystem of a step as a detached, unmapped mount with the attributes `attr` (IDM_ATTR_*). */
int idm_filesystem_open(const struct idm_step *step, uint32_t attr, struct idm_error *err);

/*
 * Adds the last thing that the kernel has to say about a filesystem context: "overlay: Unknown parameter
 * 'x'". `fs` may be -1: nothing.
 */
void idm_add_filesystem_words(int fs, struct idm_error *err);

/* Fills in why fsopen(2) of this type failed. Returns `code`. */
int idm_why_no_context(int code, const char *type, const char *step, struct idm_error *err);

#endif
