/* SPDX-License-Identifier: MIT */
/* What the calling thread may do: for messages, and to interpret a refusal. It never replaces a try. */
#ifndef IDM_SYS_CAPABILITY_H
#define IDM_SYS_CAPABILITY_H

#include <stdbool.h>

#include "idmount.h"

/* Whether the capability (CAP_* of <linux/capability.h>) is effective. */
bool idm_has_capability(int capability);

/* The first number in a file such as /proc/sys/kernel/…, or -1. */
long idm_read_number(const char *path);

/* Whether the caller is in the initial user namespace (true too where that cannot be told). */
bool idm_in_initial_userns(void);

/* The ID that stands for others in the caller's user namespace, as stat(2) shows it. */
uint32_t idm_overflow_id(unsigned int kind);

/* Whether the caller has CAP_SYS_ADMIN in the user namespace that owns its mount namespace. */
bool idm_may_mount(void);

/* Adds the hint about a missing privilege for mounts: where the caller would have it. */
void idm_hint_privilege(struct idm_error *err);

#endif
