/* SPDX-License-Identifier: MIT */
/* The layer of an overlay that a file comes from. */
#ifndef IDM_CLI_EXPLAIN_LAYER_H
#define IDM_CLI_EXPLAIN_LAYER_H

#include <limits.h>

#include "layer-lookup.h"
#include "verdict.h"

struct layer_file {
	char path[PATH_MAX]; /* of the file in the layer, as the caller reaches it; "": not visible */
	unsigned int lower;  /* 1: the top lower layer; 0: the upper one */
	struct idm_map *map; /* of the mount that the layer is on; NULL: none */
	bool map_unseen;
	uint32_t uid, gid;	   /* on disk in the layer */
	bool has_options;	   /* of the overlay: they are known */
	bool userxattr;		   /* one of them */
	bool has_marks;		   /* the overlay uses attributes of its own */
	bool has_upper;		   /* one of them is upperdir */
	bool upper_seen;	   /* it is visible, with its map */
	struct idm_map *upper_map; /* of its mount; NULL: none */
	bool is_copied_up;	   /* a change copies it to the upper layer; its own is not visible */
	struct layer_stack below;  /* the file, and directories that it is merged with, or its data */
	bool merged_unseen;	   /* there may be others */
};

bool is_on_overlay(const struct verdict *v);

/* Call free_layer_file() afterwards. */
void find_layer_file(const struct verdict *v, struct layer_file *file);
void free_layer_file(struct layer_file *file);

/*
 * An overlay shows an owner of 65534 and none alike. If the layer tells, sets v->facts.inode to *inode,
 * with that owner, and v->has_certain_owner.
 */
void settle_owner(struct verdict *v, struct idm_explain_inode *inode);

/* ---- layer-acl.c ---- */

/* Whether the default ACL of a directory names an ID that is shown as none, or that the map leaves out.
 */
bool has_unmapped_default_acl(int fd, const struct idm_map *upper_map);

/* ---- layer-verdict.c ---- */

/*
 * Judges an access that the overlay itself allows: the process that mounted it also requires it, in the
 * layer. Changes the verdict if that is refused. Returns false if the layer or the mounter is not known.
 * IDM_ACCESS_UNLINK at a directory on the way is about a file in it.
 */
bool judge_layer(struct verdict *v);

/*
 * Judges an access that the overlay itself refuses. Before that, the kernel may have asked the layer:
 * the search of a directory for a new name comes first, and a read-only mount comes last. Changes the
 * verdict then.
 */
void judge_layer_first(struct verdict *v);

#endif
