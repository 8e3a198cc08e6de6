/* SPDX-License-Identifier: MIT */
/* The hint for a source that is ID-mapped already. The caller decides which way remains. */
#ifndef IDM_BASE_MAPPED_HINT_H
#define IDM_BASE_MAPPED_HINT_H

struct idm_error;

/* The reason by which idm_hint_mapped() recognises the error. */
#define IDM_REASON_MAPPED "the source is on a mount that is ID-mapped already"

/* How the hint begins if a mount below the source is at fault. */
#define IDM_HINT_BELOW "it is mounted below "

/* The way that remains where a map can be neither replaced nor added to. */
#define IDM_HINT_UNMAPPED \
	"name it by a path where it has no map, or give no new map: it keeps the one that it has"

/*
 * Replaces the hint of an error that says IDM_REASON_MAPPED about the source itself. Other errors keep
 * their hint. *err may be NULL.
 */
void idm_hint_mapped(struct idm_error *err, const char *hint);

#endif
