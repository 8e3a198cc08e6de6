/* SPDX-License-Identifier: MIT */
/* What the files of the overlay have in common. */
#ifndef IDM_OVERLAY_INTERNAL_H
#define IDM_OVERLAY_INTERNAL_H

#include "layers.h"
#include "upper-cache.h"

/* Checks the options, before any layer is opened. */
int idm_overlay_check(const struct idm_overlay_options *o, struct idm_error *err);

/* They report a failed call, with the kernel's log if there is one. They return `code`. `fs` may be -1.
 */
int idm_diagnose_no_layer(int code, int fs, const struct idm_layer *layer, struct idm_error *err);
int idm_diagnose_no_overlay(int code, int fs, const struct idm_overlay_options *o,
			    struct idm_error *err);

/* Sets one option of the context of an overlay. An error names it. */
int idm_overlay_set_option(int fs, const struct idm_mount_option *option, struct idm_error *err);

/* Fails with -EBUSY if another overlay uses upper or work. */
int idm_overlay_in_use(const struct idm_overlay_options *o, const struct idm_layers *layers,
		       struct idm_error *err);

/* Creates the overlay in a mount namespace of a child. Returns a descriptor or -errno. */
int idm_overlay_in_namespace(const struct idm_overlay_options *o, const struct idm_layers *layers,
			     struct idm_error *err);

/*
 * Finds overlays of other mount namespaces (Linux 6.12). Calls ask() in each namespace with an overlay
 * for which is_known() is false, until is_done() is true. Skips namespaces that the caller cannot see.
 */
struct idm_overlay_search {
	bool (*is_known)(uint32_t major, uint32_t minor, void *data);
	bool (*is_done)(void *data);
	void (*ask)(void *data);
	void *data;
	struct idm_plain_mounts *plain; /* mounts that it need not ask for */
};
void idm_overlay_search_elsewhere(const struct idm_overlay_search *search);

#endif
