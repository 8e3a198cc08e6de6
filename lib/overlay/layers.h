/* SPDX-License-Identifier: MIT */
/* The ID-mapped and opened directories of an overlay. */
#ifndef IDM_OVERLAY_LAYERS_H
#define IDM_OVERLAY_LAYERS_H

#include <stdbool.h>

#include "idmount.h"

/* One directory. The order is the kernel's: lower layers from the top, then data-only ones. */
struct idm_layer {
	struct idm_path path;
	const char
		*key;  /* the overlay's option for it: "lowerdir+", "datadir+", "upperdir", "workdir" */
	bool mapped;   /* is to be ID-mapped */
	bool writable; /* upper and work: the kernel requires both on one mount */
	bool linked;   /* the path ends in a symbolic link */
	bool by_path;  /* it has no descriptor: the kernel gets the path below the copy */
	int fd;	       /* O_PATH, below a copy or in place; -1 until idm_layers_open() */
	size_t clone;  /* the index of that copy */
	const char *below; /* the rest of the path there; "" for the copy's root, NULL without a copy */
	uint64_t mount_id; /* of the mount that holds it */
	uint64_t inode;
	uint32_t device_major, device_minor;
};

/* A name that identifies the directory: "upperdir-254:0-1234". */
struct idm_layer_name {
	char text[64];
};

void idm_layer_name(const struct idm_layer *layer, struct idm_layer_name *name);

/*
 * Finds the shortest part of a layer's path that is on the layer's mount, usually the root of the mount.
 * Sets its length, up to a slash. 0 is the directory at which a relative path begins.
 */
int idm_layer_base(const struct idm_layer *layer, size_t *base);

struct idm_layers {
	struct idm_layer *v;
	size_t n;
	int *clones; /* the detached copies, which stay open until the overlay exists */
	size_t n_clones;
	bool clone_all;	  /* also the layers without a map */
	bool by_path;	  /* lower layers need no descriptor, if the kernel can have their paths */
	bool nosymfollow; /* the copies refuse symbolic links, see layer-paths.c */
	bool service;	  /* idmountd may map the copies */
	uint32_t root_uid, root_gid; /* seen IDs that create files in a mapped upper directory */
	int (*progress)(size_t done, size_t all, void *data);
	void *progress_data;
};

/* Checks that every layer exists, is a directory and is no duplicate. Sets its mount ID and inode. */
int idm_layers_check(struct idm_layers *layers, struct idm_error *err);

/* Opens all layers. Those with a map (or all) are opened below as few copies as possible. */
int idm_layers_open(struct idm_layers *layers, int userns_fd, struct idm_error *err);

/* The same from the beginning, with a descriptor of each layer. */
int idm_layers_open_again(struct idm_layers *layers, int userns_fd, struct idm_error *err);

void idm_layers_close(struct idm_layers *layers);

/* Whether the kernel accepts the path below a copy as a layer. */
bool idm_layer_fits_path(const char *below);

/* Whether that path can only lead to the layer, or nowhere. Else it has to be looked at. */
bool idm_layer_path_is_sure(const struct idm_layer *layer, const char *below);

/* Passes all layers to the context of an overlay, those by path too. Returns 0 or -errno. */
int idm_layers_set_by_path(int fs, const struct idm_layers *layers);

#endif
