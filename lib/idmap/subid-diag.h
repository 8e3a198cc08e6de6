/* SPDX-License-Identifier: MIT */
#ifndef IDM_IDMAP_SUBID_DIAG_H
#define IDM_IDMAP_SUBID_DIAG_H

#include <stdbool.h>

#include "idmount.h"
#include "nss.h"

/*
 * Fills in *err and returns -ENOENT: the file has no subordinate IDs of this kind for the owner. The
 * hint names a range that is free, and one of the other kind if the owner has none.
 */
int idm_diagnose_subid(unsigned int kind, const char *owner, struct idm_error *err);

/* Whether the file has this ID in a range of the owner. */
bool idm_subid_grants(unsigned int kind, uint32_t id, const char *owner);

/*
 * Adds the hint that grants the owner these IDs, one of each of the kinds. If one of them cannot be
 * granted, the hint says why: it is in another range, a user's or group's own, or below all ranges.
 */
void idm_hint_grant(unsigned int kinds, struct idm_ids ids, const char *owner, struct idm_error *err);

#endif
