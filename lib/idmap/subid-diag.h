/* SPDX-License-Identifier: MIT */
#ifndef IDM_IDMAP_SUBID_DIAG_H
#define IDM_IDMAP_SUBID_DIAG_H

#include "idmount.h"

/*
 * Fills in *err and returns -ENOENT: the file has no subordinate IDs of this kind for the owner. The
 * hint names a range that is free.
 */
int idm_diagnose_subid(unsigned int kind, const char *owner, struct idm_error *err);

/* Adds the hint that grants the owner this ID. If it can be another user's, the hint grants free IDs. */
void idm_hint_grant(unsigned int kind, uint32_t id, const char *owner, struct idm_error *err);

#endif
