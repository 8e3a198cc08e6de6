/* SPDX-License-Identifier: MIT */
/* What is to be believed of an answer of statmount(2). */
#ifndef IDM_SYS_STATMOUNT_ANSWER_H
#define IDM_SYS_STATMOUNT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "syscall.h"

#define IDM_STATMOUNT_STRINGS (IDM_STATMOUNT_MNT_ROOT | IDM_STATMOUNT_MNT_POINT | IDM_STATMOUNT_FS_TYPE)
#define IDM_STATMOUNT_NEW_STRINGS \
	(IDM_STATMOUNT_FS_SUBTYPE | IDM_STATMOUNT_SB_SOURCE | IDM_STATMOUNT_SUPPORTED_MASK)
#define IDM_STATMOUNT_MAPS (IDM_STATMOUNT_MNT_UIDMAP | IDM_STATMOUNT_MNT_GIDMAP)

/*
 * What is asked for together with maps has to fit into this, which is the answer's head and the buffer
 * for strings that the kernel begins with. Were more allowed, a kernel from Linux 6.15 to 6.18.33 would
 * write a byte behind its buffer when a map does not fit (CVE-2026-64074). One side of a map always
 * fits.
 */
#define IDM_STATMOUNT_SIZE_WITH_MAPS (sizeof(struct idm_statmount) + 3 * 4096)

/*
 * Whether all offsets are within the answer. The kernel's answers are so. An emulation, or an answer by
 * seccomp_unotify(2), can be wrong: then nothing behind the answer may be read.
 */
bool idm_statmount_is_whole(const struct idm_statmount *m, size_t capacity);

#endif
