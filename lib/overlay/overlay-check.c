// SPDX-License-Identifier: MIT
/* Checks the options of an overlay, before any layer is opened. */
#include <errno.h>

#include "internal.h"
#include "lib/base/arguments.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/mount-attr.h"
#include "lib/mount/service-tree.h"
#include "lib/mount/staging.h"
#include "lib/sys/syscall.h"

/* OVL_MAX_STACK */
#define MOST_LAYERS 500

static const enum idm_error_step step_overlay = IDM_STEP_OPEN_OVERLAY;

/* An empty path is a directory's own descriptor only if a flag asks for it. */
static int check_paths(const struct idm_path *paths, size_t n, unsigned int flags, struct idm_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!paths[i].path)
			return idm_fail(err, -EINVAL, IDM_STEP_OPEN_LAYER, NULL,
					"expected a path, got NULL");
		if (!*paths[i].path && !(flags & IDM_OVERLAY_EMPTY_PATH))
			return idm_fail_empty(err, IDM_STEP_OPEN_LAYER);
	}
	return 0;
}

static int check_all_paths(const struct idm_overlay_options *o, struct idm_error *err)
{
	int r = check_paths(o->lower, o->n_lower, o->flags, err);

	if (r == 0)
		r = check_paths(o->data, o->n_data, o->flags, err);
	if (r == 0)
		r = check_paths(o->upper, o->upper != NULL, o->flags, err);
	return r < 0 ? r : check_paths(o->work, o->work != NULL, o->flags, err);
}

static int check_overlay_option_names(const struct idm_overlay_options *o, struct idm_error *err)
{
	for (size_t i = 0; i < o->n_options; i++)
		if (!o->options[i].name)
			return idm_fail(err, -EINVAL, step_overlay, NULL,
					"options[%zu].name: expected a name, got NULL", i);
	return 0;
}

static int check_overlay_arrays(const struct idm_overlay_options *o, struct idm_error *err)
{
	int r = idm_check_array(o->lower, o->n_lower, "lower", "layers", step_overlay, err);

	if (r == 0)
		r = idm_check_array(o->data, o->n_data, "data", "layers", step_overlay, err);
	if (r == 0)
		r = idm_check_array(o->options, o->n_options, "options", "options", step_overlay, err);
	return r < 0 ? r : check_overlay_option_names(o, err);
}

static int check_overlay_flags(const struct idm_overlay_options *o, struct idm_error *err)
{
	const unsigned int flags = IDM_OVERLAY_BY_DESCRIPTOR | IDM_OVERLAY_IN_NAMESPACE |
				   IDM_OVERLAY_CREATE_AS_ROOT | IDM_OVERLAY_EMPTY_PATH |
				   IDM_OVERLAY_UPPER_UNUSED | IDM_OVERLAY_SERVICE;
	int r = idm_check_flags(o->flags, flags, step_overlay, NULL, err);

	if (r == 0)
		r = check_overlay_arrays(o, err);
	if (r == 0)
		r = idm_check_attributes(o->attr, 0, step_overlay, NULL, err);
	if (r < 0)
		return r;
	if (o->flags & IDM_OVERLAY_BY_DESCRIPTOR && o->flags & IDM_OVERLAY_IN_NAMESPACE)
		return idm_fail(err, -EINVAL, step_overlay, NULL,
				"expected IDM_OVERLAY_BY_DESCRIPTOR or IDM_OVERLAY_IN_NAMESPACE, got "
				"both");
	if (o->flags & IDM_OVERLAY_BY_DESCRIPTOR && !idm_kernel_takes_detached())
		return idm_fail(
			err, -EOPNOTSUPP, step_overlay, NULL,
			"layers by descriptor are not supported by this kernel (needs Linux 6.15)");
	if ((unsigned int)o->upper_ids > IDM_UPPER_DISK)
		return idm_fail(err, -EINVAL, step_overlay, NULL, "unknown upper IDs %d", o->upper_ids);
	return 0;
}

static int check_layer_numbers(const struct idm_overlay_options *o, struct idm_error *err)
{
	size_t n = o->n_lower + o->n_data;

	if (n > MOST_LAYERS)
		return idm_fail(err, -E2BIG, step_overlay, NULL,
				"%zu layers are %zu more than the %d that the kernel accepts", n,
				n - MOST_LAYERS, MOST_LAYERS);
	if (!o->n_lower)
		return idm_fail(err, -EINVAL, step_overlay, NULL, "a lower layer is missing");
	if (!o->upper != !o->work)
		return idm_fail(
			err, -EINVAL, step_overlay, NULL,
			o->upper ? "an upper directory requires a work directory on the same mount"
				 : "a work directory requires an upper directory");
	if (o->flags & IDM_OVERLAY_UPPER_UNUSED && !o->upper)
		return idm_fail(err, -EINVAL, step_overlay, NULL,
				"IDM_OVERLAY_UPPER_UNUSED requires an upper directory");
	if (n < 2 && !o->upper) {
		idm_fail(err, -EINVAL, step_overlay, o->lower[0].path,
			 "expected a second layer or an upper directory, got one lower layer");
		idm_hint(err,
			 "mount the directory itself (idmount mount), or add a second, empty layer");
		return -EINVAL;
	}
	return 0;
}

/* A map that idmountd makes never has the host's root. Then the owner of the upper directory is enough.
 */
static bool is_for_service(const struct idm_overlay_options *o)
{
	return o->flags & IDM_OVERLAY_SERVICE && idm_service_can_help();
}

static int check_disk_root(const struct idm_overlay_options *o, struct idm_error *err)
{
	uint32_t seen;

	if (o->upper_ids != IDM_UPPER_DISK || !o->map || !o->upper)
		return 0;
	if (idm_map_to_seen(o->map, IDM_UID, 0, &seen) == 0 &&
	    idm_map_to_seen(o->map, IDM_GID, 0, &seen) == 0)
		return 0;
	if (is_for_service(o))
		return 0;
	return idm_fail(err, -EINVAL, step_overlay, o->upper->path,
			"an upper directory with disk IDs requires a map that has disk uid and gid 0");
}

int idm_overlay_check(const struct idm_overlay_options *o, struct idm_error *err)
{
	int r = check_overlay_flags(o, err);

	if (r == 0)
		r = check_layer_numbers(o, err);
	if (r == 0)
		r = idm_staging_check(o->staging_fd, err);
	if (r == 0)
		r = check_all_paths(o, err);
	return r < 0 ? r : check_disk_root(o, err);
}
