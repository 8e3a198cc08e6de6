/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_PLACING_H
#define IDM_OCI_PLACING_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/plan/plan.h"

/* A shared mount that has left its group, and a copy that is still in there; -1: none */
struct mount_group {
	int mount, copy;
};

/* One mount of the configuration, and its place in the container. */
struct placing {
	const char *destination;
	const char *annotation; /* that asks for the map; NULL: the engine asks */
	bool mapped, own_map;
	struct idm_plan_entry step; /* a copy, which owns nothing */
	int tree;		    /* -1: it has no map */
	int place;		    /* the runtime's mount there; -1: none to handle */
	char *path;		    /* where that is, in the container's mount namespace */

	/* The mapped mount that the place is on, and the path from there; NULL: on none */
	const struct placing *cover;
	const char *rest;

	/* If the runtime's mount will be moved: the mount point's directory, and its name in there */
	int directory;
	const char *name;

	bool aside;			/* for exchange.c: the runtime's mount is on the mount aside */
	bool on_shared;			/* that mount was on a shared one, and is removed */
	struct mount_group group;	/* of the mount that the directory is in, as it is moved */
	struct mount_group cover_group; /* of the mount that it comes to, likewise */
};

/* Whether the tree is a new tmpfs, and not the runtime's. */
bool is_new_tmpfs(const struct placing *p);

/* Names it for errors: `size` is IDM_PLAN_ENTRY_NAME. */
void name_placing(const struct placing *p, char *name, size_t size);

#endif
