/* SPDX-License-Identifier: MIT */
/* What the files of the overlay have in common. */
#ifndef IDM_OVERLAY_INTERNAL_H
#define IDM_OVERLAY_INTERNAL_H

#include "layers.h"

/* Why the kernel refused, in its own words where it has some. Each returns `code`. `fs` may be -1. */
int idm_diagnose_no_layer(int code, int fs, const struct idm_layer *layer, struct idm_error *err);
int idm_diagnose_no_option(int code, int fs, const struct idm_mount_option *option,
			   struct idm_error *err);
int idm_diagnose_no_overlay(int code, int fs, const struct idm_overlay_options *o,
			    struct idm_error *err);

/* Whether upper or work is in use by an overlay of this mount namespace. 0, or -EBUSY. */
int idm_overlay_in_use(const struct idm_overlay_options *o, const struct idm_layers *layers,
		       struct idm_error *err);

/* Puts the overlay together in a mount namespace of a child. A descriptor or -errno. */
int idm_overlay_in_namespace(const struct idm_overlay_options *o, const struct idm_layers *layers,
			     struct idm_error *err);

/*
 * Overlays of other mount namespaces (Linux 6.12). `ask` is called in each namespace that has one for
 * which is_known() is false, until is_done(). What the caller may not see is passed over.
 */
struct idm_overlay_search {
	bool (*is_known)(uint32_t major, uint32_t minor, void *data);
	bool (*is_done)(void *data);
	void (*ask)(void *data);
	void *data;
};
void idm_overlay_search_elsewhere(const struct idm_overlay_search *search);

#endif
