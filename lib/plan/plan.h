/* SPDX-License-Identifier: MIT */
/*
 * What the rooms of plans have in common: plan.c collects steps, mount-options.c reads the words of one,
 * harden.c adds the words that make it safe, spec/containerd.c and spec/oci-config.c read lists of them;
 * rootfs/make-mount.c makes one step's tree, rootfs/assemble.c puts the trees together, rootfs/apply.c
 * attaches the whole, journal/journal.c and journal/undo.c remember and undo.
 */
#ifndef IDM_PLAN_PLAN_H
#define IDM_PLAN_PLAN_H

#include <stdbool.h>

#include "idmount.h"

enum idm_plan_entry_kind { IDM_PLAN_ENTRY_BIND, IDM_PLAN_ENTRY_OVERLAY, IDM_PLAN_ENTRY_FILESYSTEM };

/* How far a map goes below the mount that is bound. */
enum idm_map_scope { IDM_MAP_SAME = 0 /* as far as the bind */, IDM_MAP_TOP, IDM_MAP_DEEP };

struct idm_attributes {
	uint32_t set, clear; /* IDM_ATTR_* */
};

/* One mount of a plan, understood. All strings are the step's own. */
struct idm_plan_entry {
	enum idm_plan_entry_kind kind;
	const struct idm_filesystem *filesystem; /* of a FILESYSTEM */
	unsigned int flags;			 /* IDM_PLAN_* */
	int dirfd;				 /* the step's own, or AT_FDCWD */
	char *source;				 /* NULL: none */
	char *target;				 /* without leading slashes; "" is the root */
	bool recursive;				 /* a bind of all below */
	bool loop;
	struct idm_attributes top, deep; /* of the mount, and of all below it too */
	enum idm_propagation propagation;
	bool deep_propagation;
	enum idm_propagation
		copied_as;   /* of a bind, before that; DEFAULT: private, or slave if that is wished */
	struct idm_map *map; /* NULL: none */
	enum idm_map_scope map_scope;
	uint32_t hardened; /* IDM_ATTR_* that idm_plan_harden() added because of an ID of the map */
	struct idm_mount_option *options; /* of the filesystem */
	size_t n_options;
	struct idm_path *lower, *data; /* of an OVERLAY */
	size_t n_lower, n_data;
	const char *upper, *work;
	char **words; /* what names, values and paths above point into */
	size_t n_words;
};

struct idm_plan {
	struct idm_plan_entry *steps;
	size_t n;
};

/* A filesystem that a plan can mount anew. */
struct idm_filesystem {
	const char *name;
	const char *type; /* as the kernel calls it */
	bool on_device;	  /* its source is a block device, or a file by "loop" */
};

/* NULL: none of them. */
const struct idm_filesystem *idm_filesystem_by_name(const char *name);

/*
 * Reads one of the words of `step`, whose kind is known; the word is the step's own to cut. A map's
 * words are collected in step->map.
 */
int idm_plan_entry_take_option(struct idm_plan_entry *step, char *word, struct idm_error *err);

/* Whether the word makes a mount a bind. */
bool idm_is_bind_option(const char *word);

/* Takes back what was added after the first n steps. */
void idm_plan_truncate(struct idm_plan *plan, size_t n);

/* The target (may be NULL) without slashes at its ends, n bytes of it: none for the root. */
const char *idm_trim_target(const char *target, size_t *n);

/* Longer than any string of struct idm_error, so that there it is seen to be cut. */
#define IDM_PLAN_ENTRY_NAME 1000

/* Releases what the step holds, not the step itself. */
void idm_plan_entry_free(struct idm_plan_entry *step);

/* The step in words: "overlay on /"; in buf. */
const char *idm_plan_entry_name(const struct idm_plan_entry *step, char *buf, size_t size);

#endif
