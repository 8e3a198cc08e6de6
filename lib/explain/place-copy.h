/* SPDX-License-Identifier: MIT */
#ifndef IDM_EXPLAIN_PLACE_COPY_H
#define IDM_EXPLAIN_PLACE_COPY_H

#include "idmount.h"

/*
 * Copies a place of idm_explain_path() with all that it points to, and duplicates its descriptor. Returns 0 or
 * -errno. The copy is that of the library's own struct: nothing is behind its end.
 */
int idm_copy_place(const struct idm_explain_info *place, struct idm_explain_info **copy);

/* Frees such a copy, which may be NULL, and closes its descriptor. */
void idm_free_place(void *copy);

#endif
