// SPDX-License-Identifier: MIT
/*
 * From layers to a detached overlay. Nothing of it is ever attached: layers are O_PATH descriptors,
 * beneath detached mapped copies where there is a map. Older kernels: overlay-legacy.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "layers.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"
#include "lib/sys/delegate.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/fs-context.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_overlay = IDM_STEP_OPEN_OVERLAY;

/* ---- the layers ---- */

static void add_layer(struct idm_layers *layers, const struct idm_path *path, const char *key,
		      bool mapped, bool writable)
{
	layers->v[layers->n++] = (struct idm_layer){
		.path = *path, .key = key, .mapped = mapped, .writable = writable, .fd = -1
	};
}

static int collect_layers(struct idm_layers *layers, const struct idm_overlay_options *o,
			  struct idm_error *err)
{
	bool mapped = o->map, upper_mapped = o->map && o->upper_ids == IDM_UPPER_DISK;

	layers->service = o->flags & IDM_OVERLAY_SERVICE;
	layers->progress = o->progress;
	layers->progress_data = o->progress_data;
	layers->v = calloc(o->n_lower + o->n_data + 2, sizeof(*layers->v));
	if (!layers->v)
		return idm_fail_errno(err, -ENOMEM, step_overlay, NULL);
	for (size_t i = 0; i < o->n_lower; i++)
		add_layer(layers, &o->lower[i], "lowerdir+", mapped, false);
	for (size_t i = 0; i < o->n_data; i++)
		add_layer(layers, &o->data[i], "datadir+", mapped, false);
	if (o->upper) {
		add_layer(layers, o->upper, "upperdir", upper_mapped, true);
		add_layer(layers, o->work, "workdir", upper_mapped, true);
	}
	return 0;
}

/* ---- upper and work ---- */

static int check_upper_mount(const struct idm_overlay_options *o, const struct idm_layers *layers,
			     struct idm_error *err)
{
	const struct idm_layer *upper = &layers->v[layers->n - 2], *work = &layers->v[layers->n - 1];
	uint64_t upper_mount, work_mount;
	bool unique;
	int r;

	if (!o->upper)
		return 0;
	if (upper->mount_id != work->mount_id)
		return idm_fail(
			err, -EXDEV, step_overlay, o->work->path,
			"the work directory and the upper directory (%s) are on different mounts",
			o->upper->path);
	if (upper->fd < 0)
		return 0;
	r = idm_mount_id(upper->fd, "", &upper_mount, &unique);
	if (r == 0)
		r = idm_mount_id(work->fd, "", &work_mount, &unique);
	if (r != 0)
		return idm_fail_errno(err, r, step_overlay, o->work->path);
	if (upper_mount != work_mount)
		return idm_fail(err, -EXDEV, step_overlay, o->work->path,
				"no common parent directory of it and %s can be mapped", o->upper->path);
	return 0;
}

static int find_upper_owner(const struct idm_overlay_options *o, struct idm_layers *layers,
			    struct idm_error *err)
{
	uint32_t disk;
	struct stat st;
	int r = idm_sys_fstatat(layers->v[layers->n - 2].fd, "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return idm_fail_errno(err, r, step_overlay, o->upper->path);
	if (idm_map_to_disk(o->map, IDM_UID, st.st_uid, &disk) < 0 ||
	    idm_map_to_disk(o->map, IDM_GID, st.st_gid, &disk) < 0)
		return idm_fail(err, -EINVAL, step_overlay, o->upper->path,
				"an upper directory with disk IDs requires a map that has its owner");
	layers->root_uid = st.st_uid;
	layers->root_gid = st.st_gid;
	return 0;
}

/* The seen IDs that create files in a mapped upper directory: those of root, or of its owner. */
static int find_mapped_root(const struct idm_overlay_options *o, struct idm_layers *layers,
			    struct idm_error *err)
{
	if (!o->map || !o->upper || o->upper_ids != IDM_UPPER_DISK)
		return 0;
	if (idm_map_to_seen(o->map, IDM_UID, 0, &layers->root_uid) == 0 &&
	    idm_map_to_seen(o->map, IDM_GID, 0, &layers->root_gid) == 0)
		return 0;
	return find_upper_owner(o, layers, err);
}

/* ---- making it ---- */

static int open_context(struct idm_error *err)
{
	int fs = idm_sys_fsopen("overlay", 0);

	return fs < 0 ? idm_diagnose_fsopen(fs, "overlay", step_overlay, err) : fs;
}

static int set_descriptors(int fs, const struct idm_layers *layers, struct idm_error *err)
{
	for (size_t i = 0; i < layers->n; i++) {
		int r = idm_sys_fsconfig(fs, FSCONFIG_SET_FD, layers->v[i].key, NULL, layers->v[i].fd);

		if (r < 0)
			return idm_diagnose_no_layer(r, fs, &layers->v[i], err);
	}
	return 0;
}

static bool has_layers_by_path(const struct idm_layers *layers)
{
	for (size_t i = 0; i < layers->n; i++)
		if (layers->v[i].by_path)
			return true;
	return false;
}

static int open_layers_again(const struct idm_overlay_options *o, struct idm_layers *layers, int userns,
			     struct idm_error *err)
{
	int r = idm_layers_open_again(layers, userns, err);

	return r < 0 ? r : check_upper_mount(o, layers, err);
}

/*
 * A path below a copy can be refused where a descriptor is not, for example because the map leaves out
 * the owner of a directory on it. So descriptors are the second try. They also find the words for
 * errors.
 */
static int set_layers(int *fs, const struct idm_overlay_options *o, struct idm_layers *layers,
		      int userns, struct idm_error *err)
{
	int r;

	if (!has_layers_by_path(layers))
		return set_descriptors(*fs, layers, err);
	if (idm_layers_set_by_path(*fs, layers) == 0)
		return 0;
	close(*fs);
	*fs = open_context(err);
	if (*fs < 0)
		return *fs;
	r = open_layers_again(o, layers, userns, err);
	return r < 0 ? r : set_descriptors(*fs, layers, err);
}

static int set_overlay_options(int fs, const struct idm_overlay_options *o, struct idm_error *err)
{
	int r = idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", o->source ? o->source : "overlay",
				 0);

	if (r < 0)
		return idm_fail_errno(err, r, step_overlay, o->source);
	for (size_t i = 0; i < o->n_options; i++) {
		r = idm_overlay_set_option(fs, &o->options[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * An ID-mapped upper directory has no ID for the host's root: the root that the map shows has to create
 * files in it. The kernel does that with the credentials of the process that creates the overlay, or
 * (since Linux 6.15) of the process that sets override_creds.
 */
static int create_as_mapped_root(const struct idm_overlay_options *o, const struct idm_layers *layers,
				 int fs)
{
	bool create = o->flags & IDM_OVERLAY_CREATE_AS_ROOT;
	struct idm_delegate_work work = { .fd = fs, .uid = layers->root_uid, .gid = layers->root_gid };
	int r;

	work.operation = create ? IDM_DELEGATE_CREATE_FS : IDM_DELEGATE_OVERRIDE_CREDS;
	r = idm_delegate(&work, NULL, NULL, NULL);
	if (create)
		return r;
	if (r == 0)
		return idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	work.operation = IDM_DELEGATE_CREATE_FS; /* before 6.15 */
	return idm_delegate(&work, NULL, NULL, NULL);
}

static int create_superblock(const struct idm_overlay_options *o, const struct idm_layers *layers,
			     int fs)
{
	if (o->map && o->upper && o->upper_ids == IDM_UPPER_DISK)
		return create_as_mapped_root(o, layers, fs);
	return idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

/* The kernel makes an overlay read-only, and says nothing, if its work directory cannot be written. */
static int check_writable(const struct idm_overlay_options *o, int tree, struct idm_error *err)
{
	struct statfs fs;
	int r;

	if (!o->upper || o->attr & IDM_ATTR_RDONLY)
		return 0;
	r = idm_sys_fstatfs(tree, &fs);
	if (r < 0)
		return idm_fail_errno(err, r, step_overlay, NULL);
	if (!(fs.f_flags & 1 /* ST_RDONLY */))
		return 0;
	idm_fail(err, -EROFS, step_overlay, o->work->path,
		 "the overlay is read-only, because its work directory is not writable");
	idm_hint(err, "overlayfs requires an empty work directory, on a writable filesystem that can be "
		      "an upper layer; dmesg shows the kernel's reason");
	return -EROFS;
}

static int by_descriptor(const struct idm_overlay_options *o, struct idm_layers *layers, int userns,
			 struct idm_error *err)
{
	AUTO_CLOSE int fs = open_context(err), tree = -1;
	int r;

	if (fs < 0)
		return fs;
	r = set_layers(&fs, o, layers, userns, err);
	if (r == 0)
		r = set_overlay_options(fs, o, err);
	if (r < 0)
		return r;
	r = create_superblock(o, layers, fs);
	if (r < 0)
		return idm_diagnose_no_overlay(r, fs, o, err);
	tree = idm_sys_fsmount(fs, 0, o->attr);
	if (tree < 0)
		return idm_fail_errno(err, tree, step_overlay, NULL);
	r = check_writable(o, tree, err);
	return r < 0 ? r : idm_steal_fd(&tree);
}

/* Descriptors are the second try here too: they show which layers require a copy of their own. */
static int open_in_namespace(const struct idm_overlay_options *o, struct idm_layers *layers, int userns,
			     struct idm_error *err)
{
	bool by_path = has_layers_by_path(layers);
	int r, tree = idm_overlay_in_namespace(o, layers, by_path ? NULL : err);

	if (tree >= 0 || !by_path)
		return tree;
	r = open_layers_again(o, layers, userns, err);
	return r < 0 ? r : idm_overlay_in_namespace(o, layers, err);
}

/* It is private, as all mounts of that namespace are, and has the defaults of fsmount(2) with 0. */
static int set_overlay_attributes(const struct idm_overlay_options *o, int tree, struct idm_error *err)
{
	struct mount_attr attr = { .attr_set = o->attr,
				   .attr_clr = idm_attributes_to_clear(o->attr, 0) };
	int r = o->attr ? idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) : 0;

	return r < 0 ? idm_fail_errno(err, r, step_overlay, NULL) : 0;
}

static int in_namespace(const struct idm_overlay_options *o, struct idm_layers *layers, int userns,
			struct idm_error *err)
{
	AUTO_CLOSE int tree = open_in_namespace(o, layers, userns, err);
	int r;

	if (tree < 0)
		return tree;
	r = set_overlay_attributes(o, tree, err);
	if (r < 0)
		return r;
	r = check_writable(o, tree, err);
	return r < 0 ? r : idm_steal_fd(&tree);
}

/* Fewer layers by path save less than the child costs. */
#define MANY_LAYERS 16

/* Linux 6.15.0 propagates mounts into the copies. In a namespace there is a child anyway. */
static bool want_layers_by_path(const struct idm_overlay_options *o, bool descriptors)
{
	bool sure = !idm_kernel_is_before(6, 16);

	return descriptors ? sure && o->map && o->n_lower + o->n_data >= MANY_LAYERS
			   : sure || idm_kernel_is_before(6, 15);
}

/* In a namespace the kernel gets all layers by path. The attribute is of Linux 5.14. */
static void choose_paths(struct idm_layers *layers, const struct idm_overlay_options *o,
			 bool descriptors)
{
	bool by_path = want_layers_by_path(o, descriptors);

	layers->clone_all = !descriptors;
	layers->nosymfollow = (by_path || !descriptors) && !idm_kernel_is_before(5, 14);
	layers->by_path = by_path && layers->nosymfollow;
}

static int assemble_overlay(const struct idm_overlay_options *o, struct idm_layers *layers,
			    struct idm_error *err)
{
	bool descriptors = !(o->flags & IDM_OVERLAY_IN_NAMESPACE) && idm_kernel_takes_detached();
	AUTO_CLOSE int userns = -1;
	int r = idm_layers_check(layers, err);

	if (r == 0)
		r = check_upper_mount(o, layers, err);
	if (r == 0 && !(o->flags & IDM_OVERLAY_UPPER_UNUSED))
		r = idm_overlay_in_use(o, layers, err);
	if (r < 0)
		return r;
	if (o->map) {
		userns = idm_userns_open(o->map, 0, err);
		if (userns < 0)
			return userns;
	}
	choose_paths(layers, o, descriptors);
	r = idm_layers_open(layers, userns, err);
	if (r == 0)
		r = check_upper_mount(o, layers, err);
	if (r == 0)
		r = find_mapped_root(o, layers, err);
	if (r < 0)
		return r;
	return descriptors ? by_descriptor(o, layers, userns, err)
			   : in_namespace(o, layers, userns, err);
}

int idm_overlay_open(const struct idm_overlay_options *overlay, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_layers layers = { 0 };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	int r = IDM_COPY_STRUCT(&o, upper_cache, overlay, step_overlay, err);

	if (r == 0)
		r = idm_overlay_check(&o, err);
	if (r == 0)
		r = collect_layers(&layers, &o, err);
	if (r == 0)
		r = assemble_overlay(&o, &layers, err);
	idm_layers_close(&layers);
	return r;
}
