/* SPDX-License-Identifier: MIT */
/* The directories of an overlay, ID-mapped and opened. */
#ifndef IDM_OVERLAY_LAYERS_H
#define IDM_OVERLAY_LAYERS_H

#include <stdbool.h>

#include "idmount.h"

/* One directory. Sorted as the kernel wants them: lower layers from the top, then data-only ones. */
struct idm_layer {
	struct idm_path path;
	const char
		*key;  /* the overlay's option for it: "lowerdir+", "datadir+", "upperdir", "workdir" */
	bool mapped;   /* is to be ID-mapped */
	bool writable; /* upper and work: the kernel wants both beneath one and the same mount */
	int fd;	       /* O_PATH, beneath a copy or where it is; -1 until idm_layers_open() */
	size_t clone;  /* which copy that is, and */
	const char *below; /* the rest of the path there; "" for the copy's root, NULL without a copy */
	uint64_t mount_id; /* of the mount that holds it */
	uint64_t inode;
	uint32_t device_major, device_minor;
};

/* A name that says which directory it is: "upperdir-254:0-1234". */
struct idm_layer_name {
	char text[64];
};

void idm_layer_name(const struct idm_layer *layer, struct idm_layer_name *name);

/*
 * The shortest part of a layer's path that is on the layer's mount: the root of the mount, as a rule. It
 * ends with a slash; 0 is the directory that a relative path begins at.
 */
int idm_layer_base(const struct idm_layer *layer, size_t *base);

struct idm_layers {
	struct idm_layer *v;
	size_t n;
	int *clones; /* the detached copies; they must live until the overlay exists */
	size_t n_clones;
	bool clone_all; /* also those that are not to be mapped */
	void (*progress)(size_t done, size_t all, void *data);
	void *progress_data;
};

/* Checks every layer: it exists, is a directory, and was not given before. */
int idm_layers_look(struct idm_layers *layers, struct idm_error *err);

/* Opens all of them, those to be mapped (or all) beneath as few copies as can be. */
int idm_layers_open(struct idm_layers *layers, int userns_fd, struct idm_error *err);

void idm_layers_close(struct idm_layers *layers);

#endif
