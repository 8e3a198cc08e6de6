// SPDX-License-Identifier: MIT
/* All stages in one call. All is done with a detached tree, and attaching it is the last step. */
#include <errno.h>
#include <fcntl.h>

#include "idmount.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "flags.h"

static const enum idm_error_step step_mount = IDM_STEP_MOUNT;

static int copy_mount_options(struct idm_mount_options *own, const struct idm_mount_options *options,
			      const char *text, struct idm_error *err)
{
	int r;

	*own = (struct idm_mount_options)IDM_MOUNT_OPTIONS_INIT;
	r = IDM_COPY_STRUCT(own, propagation, options, step_mount, err);
	if (r == 0)
		r = idm_check_flags(own->flags, IDM_TREE_FLAGS | IDM_ATTACH_FLAGS, step_mount, NULL, err);
	if (r < 0)
		return r;
	if (!text == !own->map)
		return idm_fail(err, -EINVAL, step_mount, NULL,
				"expected the text of a map or a map, got %s", text ? "both" : "neither");
	if (!text && (own->map_flags || own->keep_rest))
		return idm_fail(err, -EINVAL, step_mount, NULL, "%s requires the text of a map",
				own->map_flags ? "map_flags" : "keep_rest");
	return 0;
}

/* Returns a user namespace with the map of a text. */
static int open_userns_of_text(const char *text, const struct idm_mount_options *o, struct idm_error *err)
{
	__attribute__((cleanup(idm_map_freep))) struct idm_map *map = NULL;
	int r = idm_map_new(&map);

	if (r < 0)
		return idm_fail_errno(err, r, step_mount, NULL);
	r = idm_map_parse(map, text, o->map_flags, err);
	if (r == 0 && o->keep_rest)
		r = idm_map_keep_rest(map, o->keep_rest, err);
	return r < 0 ? r : idm_userns_open(map, 0, err);
}

static int open_mapped_source(const char *text, const char *source, const struct idm_mount_options *o,
			      struct idm_error *err)
{
	struct idm_tree_options tree = IDM_TREE_OPTIONS_INIT;
	AUTO_CLOSE int userns = text ? open_userns_of_text(text, o, err)
				     : idm_userns_open(o->map, 0, err);

	if (userns < 0)
		return userns;
	tree.flags = o->flags & IDM_TREE_FLAGS;
	tree.attr_set = o->attr_set;
	tree.attr_clear = o->attr_clear;
	return idm_tree_open(o->source_dirfd, source, userns, &tree, err);
}

int idm_mount(const char *map, const char *source, const char *target,
	      const struct idm_mount_options *options, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
	struct idm_mount_options o;
	AUTO_CLOSE int tree = -1;
	int r = copy_mount_options(&o, options, map, err);

	if (r < 0)
		return r;
	tree = open_mapped_source(map, source, &o, err);
	if (tree < 0)
		return tree;
	attach.flags = o.flags & IDM_ATTACH_FLAGS;
	attach.propagation = o.propagation;
	return idm_tree_attach(tree, o.target_dirfd, target, &attach, err);
}
