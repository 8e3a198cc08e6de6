/* SPDX-License-Identifier: MIT */
/*
 * What the files about plans have in common:
 * - plan.c collects the entries.
 * - mount-options.c parses the mount options of an entry.
 * - harden.c adds the attributes that make an entry safe.
 * - spec/containerd.c and spec/oci-config.c read lists of mounts.
 * - rootfs/make-mount.c creates the tree of one entry.
 * - rootfs/assemble.c puts the trees together.
 * - rootfs/apply.c attaches the whole.
 * - journal/journal.c writes the journal, and journal/undo.c undoes it.
 */
#ifndef IDM_PLAN_PLAN_H
#define IDM_PLAN_PLAN_H

#include <stdbool.h>

#include "idmount.h"

enum idm_plan_entry_kind { IDM_PLAN_ENTRY_BIND, IDM_PLAN_ENTRY_OVERLAY, IDM_PLAN_ENTRY_FILESYSTEM };

/* The scope of a map: the mount that is bound, or all mounts below it too. */
enum idm_map_scope { IDM_MAP_SAME = 0 /* the scope of the bind */, IDM_MAP_TOP, IDM_MAP_DEEP };

struct idm_attributes {
	uint32_t set, clear; /* IDM_ATTR_* */
};

/* One mount of a plan, parsed. The entry owns all strings. */
struct idm_plan_entry {
	enum idm_plan_entry_kind kind;
	const struct idm_filesystem *filesystem; /* of a FILESYSTEM */
	unsigned int flags;			 /* IDM_PLAN_* */
	int dirfd;				 /* owned by the entry, or AT_FDCWD */
	char *source;				 /* NULL: none */
	char *target;				 /* without leading slashes; "" is the root */
	bool recursive;				 /* a bind of all below */
	bool loop;
	struct idm_attributes top, deep; /* of the mount, and of all below it too */
	enum idm_propagation propagation;
	bool deep_propagation;
	enum idm_propagation
		copied_as;   /* of a bind, before that; DEFAULT: private, or slave on request */
	struct idm_map *map; /* NULL: none */
	enum idm_map_scope map_scope;
	uint32_t hardened; /* IDM_ATTR_* that idm_plan_harden() added because of an ID of the map */
	struct idm_mount_option *options; /* of the filesystem */
	size_t n_options;
	struct idm_path *lower, *data; /* of an OVERLAY */
	size_t n_lower, n_data;
	const char *upper, *work;
	char **option_texts; /* names, values and paths above point into these */
	size_t n_option_texts;
};

struct idm_plan {
	struct idm_plan_entry *entries;
	size_t n;
};

/* A filesystem of which a plan can create a new mount. */
struct idm_filesystem {
	const char *name;
	const char *type; /* the kernel's name for it */
	bool on_device;	  /* its source is a block device, or a file by "loop" */
	bool rdonly;	  /* never written, so it needs no writable device */
};

/* Returns NULL if no filesystem has this name. */
const struct idm_filesystem *idm_filesystem_by_name(const char *name);

/*
 * Parses one of the mount options of `entry`, whose kind is known. The entry owns the text, and cuts it.
 * Options that hold a map are collected in entry->map.
 */
int idm_plan_entry_parse_option(struct idm_plan_entry *entry, char *option, struct idm_error *err);

/* Whether the mount option makes a mount a bind. */
bool idm_is_bind_option(const char *option);

/* A mount option about a map. */
struct idm_map_option {
	const char *name;
	unsigned int kinds; /* of the map that is its value */
	enum idm_map_scope scope;
};

/*
 * Finds uidmap=MAP, gidmap=MAP, crun's idmap=uids=...;gids=... and ridmap=, or idmap and ridmap without
 * a map. *value, which may be NULL as a pointer, is the text of the map, or NULL. Returns NULL for any
 * other option.
 */
const struct idm_map_option *idm_find_map_option(const char *option, const char **value);

/* Returns the option without a map that has this scope. */
const char *idm_map_scope_option(enum idm_map_scope scope);

/* Removes the entries after the first n. */
void idm_plan_truncate(struct idm_plan *plan, size_t n);

/*
 * Returns the target (may be NULL) without slashes at its ends. It has n bytes, and none for the root.
 */
const char *idm_trim_target(const char *target, size_t *n);

/* This is longer than any string of struct idm_error. So a cut is visible there. */
#define IDM_PLAN_ENTRY_NAME 1000

/* Releases the contents of the entry, but not the entry itself. */
void idm_plan_entry_free(struct idm_plan_entry *entry);

/* Writes the name of the entry to buf, such as "overlay on /". Returns buf. */
const char *idm_plan_entry_name(const struct idm_plan_entry *entry, char *buf, size_t size);

#endif
