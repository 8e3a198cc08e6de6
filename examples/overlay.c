/* SPDX-License-Identifier: MIT */
/*
 * Puts a container's root filesystem together from layers.
 *
 *   cc -o overlay overlay.c $(pkg-config --cflags --libs idmount)
 *   sudo ./overlay 0:100000:65536 /run/box/root /srv/box/upper /srv/box/work /srv/layers/2 /srv/layers/1
 *   sudo umount /run/box/root
 *
 * The layers, the top one first, are as they came out of an image: their root is 0. In the container's
 * root filesystem that is 100000. The upper directory gets what the container changes, with the IDs
 * of the layers: it can become a layer itself, for other containers with other maps.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <idmount.h>

/* What the command line says, with the layers in place. */
struct request {
	const char *map, *target, *upper, *work;
	struct idm_path *layers;
	size_t n;
};

/* A detached overlay. The mapped copies of the layers are closed when this returns. */
static int open_overlay(const struct request *q, const struct idm_map *map, struct idm_error *err)
{
	struct idm_overlay_options overlay = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_path upper = { AT_FDCWD, q->upper }, work = { AT_FDCWD, q->work };
	/* Any option of overlayfs. */
	struct idm_mount_option options[] = { { "xino", "off" } };

	overlay.lower = q->layers;
	overlay.n_lower = q->n;
	overlay.upper = &upper;
	overlay.work = &work;
	overlay.map = map;
	overlay.upper_ids = IDM_UPPER_DISK; /* or _SHIFTED: the upper directory stores what is seen */
	overlay.options = options;
	overlay.n_options = 1;
	overlay.attr = IDM_ATTR_NODEV;
	return idm_overlay_open(&overlay, err);
}

static int make_root(const struct request *q, struct idm_error *err)
{
	struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
	struct idm_map *map;
	int tree, r;

	r = idm_map_new(&map);
	if (r < 0)
		return r;
	r = idm_map_parse(map, q->map, 0, err);
	tree = r < 0 ? r : open_overlay(q, map, err);
	idm_map_free(map);
	if (tree < 0)
		return tree;
	attach.flags = IDM_ATTACH_MKDIR;
	r = idm_tree_attach(tree, AT_FDCWD, q->target, &attach, err);
	close(tree);
	return r;
}

static int take_arguments(struct request *q, int argc, char **argv)
{
	if (argc < 6)
		return -1;
	q->map = argv[1];
	q->target = argv[2];
	q->upper = argv[3];
	q->work = argv[4];
	q->n = (size_t)argc - 5;
	q->layers = calloc(q->n, sizeof(*q->layers));
	if (!q->layers)
		abort();
	for (size_t i = 0; i < q->n; i++)
		q->layers[i] = (struct idm_path){ AT_FDCWD, argv[5 + i] };
	return 0;
}

int main(int argc, char **argv)
{
	struct idm_error err = { .message = "out of memory" };
	struct request q;
	int r;

	if (take_arguments(&q, argc, argv) < 0) {
		fprintf(stderr, "usage: %s MAP TARGET UPPER WORK LAYER...\n", argv[0]);
		return 2;
	}
	r = make_root(&q, &err);
	free(q.layers);
	if (r < 0) {
		/* The message names the step, the layer and the reason; the hint says what would help.
		 */
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
		if (err.hint[0])
			fprintf(stderr, "hint: %s\n", err.hint);
		return 1;
	}
	return 0;
}
