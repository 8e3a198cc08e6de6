/* SPDX-License-Identifier: MIT */
/* The options of -o, as containers/storage passes them to the program in place of fuse-overlayfs. */
#ifndef IDM_CLI_OVERLAYFS_OPTIONS_H
#define IDM_CLI_OVERLAYFS_OPTIONS_H

#include "cli/common/mount-options.h"
#include "idmount.h"

struct overlay_request {
	const char **lower; /* the top one first */
	size_t n_lower;
	char *empty;		  /* one of the lower ones, or NULL: see layers.c */
	const char *upper, *work; /* NULL: none */
	struct idm_map *mappings; /* see mappings.h; empty: no map is requested */
	struct mount_options attributes;
	struct idm_mount_option *options; /* for the kernel */
	size_t n_options;
};

/* Returns DONE, or reports and returns FAILED. */
int overlay_request_init(struct overlay_request *q);
void overlay_request_free(struct overlay_request *q);

/* Adds a list of options, and modifies it: the request points to it. DONE, FAILED or USAGE. */
int add_overlay_options(struct overlay_request *q, char *list);

/* After the last list: DONE or USAGE. */
int check_overlay_options(const struct overlay_request *q);

#endif
