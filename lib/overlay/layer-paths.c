// SPDX-License-Identifier: MIT
/*
 * Layers by path. A descriptor costs three calls a layer: open, look and close. Instead a child changes
 * its working directory to the mapped copy. There one call passes the path of a layer below the copy.
 *
 * The kernel itself resolves that path. It cannot lead out of the copy, to a directory without the map:
 *
 *   Symbolic links  The copy has IDM_ATTR_NOSYMFOLLOW. The kernel follows no link in it (ELOOP), also
 *                   if a component becomes a link at that moment.
 *   ".."            No such path has it, see same_mount() in layers.c.
 *   Absolute paths  idm_layer_fits_path() refuses them.
 *   Other mounts    The copy is that of one mount. It is attached nowhere, and no other process has it.
 *                   Mounts do not propagate into it, except in Linux 6.15.0. So this
 *                   requires 6.16.
 *
 * So the path leads to a directory of the copy, or nowhere. In place the same path can lead to another
 * directory: through a mount on the path, and from there back by a link. The one after the mount is
 * the link, or a later component is. In a path of two components it is the last one, since a mount on
 * the last one would be the layer's own. idm_layers_check() found no link there. Longer paths are
 * compared by inode.
 *
 * In a mount namespace (overlay-legacy.c) the kernel gets the same paths below the attached copies, in
 * one string. That namespace is the child's alone, and its mounts are private. So the same holds there.
 *
 * The overlay does not have the attribute: overlayfs reads the links of its layers by itself.
 */
#include <errno.h>
#include <string.h>

#include "layers.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

/* A value of fsconfig(2) has 256 bytes with its end. */
#define LONGEST_PATH 255

bool idm_layer_fits_path(const char *below)
{
	return *below && *below != '/' && strlen(below) <= LONGEST_PATH;
}

/* One slash: two components, or one that the kernel follows where a link is refused. */
bool idm_layer_path_is_sure(const struct idm_layer *layer, const char *below)
{
	const char *slash = strchr(below, '/');

	return !layer->linked && (!slash || !strchr(slash + 1, '/'));
}

/* What the child works on. */
struct setting {
	int fs;
	const struct idm_layers *layers;
};

static int set_layer(int fs, const struct idm_layer *l)
{
	return l->by_path ? idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, l->key, l->below, 0)
			  : idm_sys_fsconfig(fs, FSCONFIG_SET_FD, l->key, NULL, l->fd);
}

/* Layers of several copies can be mixed, and their order counts. */
static int set_layers_in_child(void *data)
{
	const struct setting *s = data;
	int here = -1, r = 0;

	for (size_t i = 0; i < s->layers->n && r == 0; i++) {
		const struct idm_layer *l = &s->layers->v[i];
		int clone = l->by_path ? s->layers->clones[l->clone] : here;

		if (clone != here)
			r = idm_sys_fchdir(clone);
		here = clone;
		if (r == 0)
			r = set_layer(s->fs, l);
	}
	return r;
}

int idm_layers_set_by_path(int fs, const struct idm_layers *layers)
{
	struct setting s = { .fs = fs, .layers = layers };

	/* The user namespace of the copies had a child. */
	return idm_subprocess_shared_again(set_layers_in_child, &s, sizeof(s));
}
