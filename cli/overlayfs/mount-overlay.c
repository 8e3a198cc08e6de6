// SPDX-License-Identifier: MIT
/*
 * From options to a mount. Without a map the directories are the layers. With a map the layers are below
 * mapped copies (trees.c), and the overlay itself has no map:
 *
 *   Linux 6.15   the copies are detached, and the kernel gets descriptors below them;
 *   before       the copies are attached over their sources, in a mount namespace that only this process
 *                has. The overlay is made there, and its detached copy is attached in the engine's.
 */
#include "mount-overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "layers.h"
#include "mappings.h"
#include "mounter.h"
#include "trees.h"

/* The overlay to open, with memory for its parts. */
struct overlay {
	struct idm_overlay_options options;
	struct idm_path *lower, upper, work;
	struct idm_mount_option *names;
};

static void free_overlay(struct overlay *o)
{
	free(o->lower);
	free(o->names);
}

/* ---- what both ways have in common ---- */

/* The engine has locks of its own, which cover the upper directory. */
static int prepare_overlay(struct overlay *o, const struct overlay_request *q)
{
	*o = (struct overlay){ .options = IDM_OVERLAY_OPTIONS_INIT };
	o->lower = calloc(q->n_lower, sizeof(*o->lower));
	o->names = calloc(q->n_options + 1, sizeof(*o->names));
	if (!o->lower || !o->names)
		return out_of_memory();
	if (q->n_options)
		memcpy(o->names, q->options, q->n_options * sizeof(*o->names));
	o->names[q->n_options].name = "userxattr";
	o->options.options = o->names;
	o->options.n_options = q->n_options + 1;
	o->options.lower = o->lower;
	o->options.n_lower = q->n_lower;
	o->options.upper = q->upper ? &o->upper : NULL;
	o->options.work = q->upper ? &o->work : NULL;
	o->options.flags = IDM_OVERLAY_EMPTY_PATH | (q->upper ? IDM_OVERLAY_UPPER_UNUSED : 0);
	o->options.attr = q->attributes.set;
	return DONE;
}

static int attach_overlay(const struct overlay_request *q, int tree, const char *target)
{
	struct idm_attach_options options = IDM_ATTACH_OPTIONS_INIT;
	struct idm_error err;

	options.propagation = q->attributes.propagation;
	return idm_tree_attach(tree, AT_FDCWD, target, &options, &err) < 0 ? report_error(&err) : DONE;
}

/* ---- without a map ---- */

static void use_directories(struct overlay *o, const struct overlay_request *q)
{
	for (size_t i = 0; i < q->n_lower; i++)
		o->lower[i] = (struct idm_path){ AT_FDCWD, q->lower[i] };
	o->upper = (struct idm_path){ AT_FDCWD, q->upper };
	o->work = (struct idm_path){ AT_FDCWD, q->work };
}

static int mount_plain(struct overlay *o, const struct overlay_request *q, const char *target)
{
	AUTO_CLOSE int tree = -1;
	struct idm_error err;

	use_directories(o, q);
	tree = idm_overlay_open(&o->options, &err);
	return tree < 0 ? report_error(&err) : attach_overlay(q, tree, target);
}

/* ---- in a mount namespace of its own ---- */

static int fail_namespace(struct idm_error *err)
{
	return idm_fail(err, -errno, IDM_STEP_MAKE_MOUNT_NAMESPACE, NULL, "%s", strerror(errno));
}

static int open_attached(const struct overlay *o, const struct mapped_trees *trees,
			 struct idm_error *err)
{
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail_namespace(err);
	r = attach_mapped_trees(trees, err);
	return r < 0 ? r : idm_overlay_open(&o->options, err);
}

/* setns(2) also changes the working directory, and relative paths begin there. */
static int return_to(int namespace, int directory, struct idm_error *err)
{
	if (setns(namespace, CLONE_NEWNS) < 0 || fchdir(directory) < 0)
		return fail_namespace(err);
	return 0;
}

static int open_in_own_namespace(struct overlay *o, const struct mapped_trees *trees,
				 struct idm_error *err)
{
	AUTO_CLOSE int namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC),
		       directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), tree = -1;
	int r;

	if (namespace < 0 || directory < 0)
		return fail_namespace(err);
	o->options.flags |= IDM_OVERLAY_IN_NAMESPACE;
	tree = open_attached(o, trees, err);
	r = return_to(namespace, directory, tree < 0 ? NULL : err);
	if (tree < 0)
		return tree;
	return r < 0 ? r : idm_steal_fd(&tree);
}

/* ---- with a map ---- */

/*
 * Before Linux 6.15 no detached tree can be copied, nor be a layer. A wrong option is wrong in each way,
 * and the first way names it.
 */
static bool is_about_copy(int tree, const struct idm_error *err)
{
	return tree == -EINVAL && err->step != IDM_STEP_OPEN_OVERLAY;
}

static int open_mapped_overlay(struct overlay *o, const struct mapped_trees *trees, bool in_namespace,
			       struct idm_error *err)
{
	int tree = in_namespace ? -EINVAL : idm_overlay_open(&o->options, err);

	if (in_namespace || is_about_copy(tree, err))
		tree = open_in_own_namespace(o, trees, err);
	return tree;
}

static int open_as_image_root(struct overlay *o, const struct mapped_trees *trees, bool in_namespace)
{
	struct idm_error err;
	int tree, r = become_image_root(trees->mappings);

	if (r < 0)
		return report_failure("become the image's root: %s", strerror(-r)), r;
	tree = open_mapped_overlay(o, trees, in_namespace, &err);
	become_engine_root();
	if (tree < 0)
		report_error(&err);
	return tree;
}

static int find_mapped_layers(struct overlay *o, const struct overlay_request *q,
			      struct mapped_trees *trees)
{
	int status = q->upper ? find_mapped_upper(trees, q->upper, &o->upper) : DONE;

	if (status == DONE && q->work)
		status = find_mapped_work(trees, q->work, &o->work);
	for (size_t i = 0; i < q->n_lower && status == DONE; i++)
		status = find_mapped_layer(trees, q->lower[i], &o->lower[i]);
	return status;
}

static int mount_with_trees(struct overlay *o, const struct overlay_request *q,
			    struct mapped_trees *trees, const char *target, bool in_namespace)
{
	AUTO_CLOSE int tree = -1;
	int status = find_mapped_layers(o, q, trees);

	if (status != DONE)
		return status;
	tree = open_as_image_root(o, trees, in_namespace);
	return tree < 0 ? FAILED : attach_overlay(q, tree, target);
}

/* The map from IDs on disk. `own` has the IDs of this user namespace, and those of the host. */
static int open_disk_userns(const struct idm_map *mappings, const struct idm_map *own)
{
	__attribute__((cleanup(idm_map_freep))) struct idm_map *disk = NULL;
	struct idm_error err;
	int userns;

	if (idm_map_copy(own, &disk) < 0)
		return out_of_memory(), -ENOMEM;
	idm_map_invert(disk);
	if (idm_map_compose(disk, mappings) < 0)
		return out_of_memory(), -ENOMEM;
	userns = idm_userns_open(disk, 0, &err);
	if (userns < 0)
		report_error(&err);
	return userns;
}

static int mount_mapped(struct overlay *o, const struct overlay_request *q, const struct idm_map *own,
			const char *target, bool in_namespace)
{
	AUTO_CLOSE int userns = open_disk_userns(q->mappings, own);
	struct mapped_trees trees = { .mappings = q->mappings, .userns_fd = userns };
	int status;

	if (userns < 0)
		return FAILED;
	status = mount_with_trees(o, q, &trees, target, in_namespace);
	close_mapped_trees(&trees);
	return status;
}

/* ---- the choice ---- */

static int complete_and_mount(struct overlay *o, const struct overlay_request *q, const char *target,
			      bool in_namespace)
{
	__attribute__((cleanup(idm_map_freep))) struct idm_map *own = NULL;
	struct idm_error err;
	int status;

	if (idm_map_new(&own) < 0)
		return out_of_memory();
	if (idm_map_add_pid(own, getpid(), &err) < 0)
		return report_error(&err);
	status = complete_mappings(q->mappings, own);
	return status == DONE ? mount_mapped(o, q, own, target, in_namespace) : status;
}

static int mount_request(struct overlay_request *q, const char *target, bool in_namespace)
{
	struct overlay o;
	int status = prepare_layers(q, target);

	if (status != DONE)
		return status;
	status = prepare_overlay(&o, q);
	if (status == DONE)
		status = is_identity(q->mappings) ? mount_plain(&o, q, target)
						  : complete_and_mount(&o, q, target, in_namespace);
	free_overlay(&o);
	return status;
}

int mount_requested_overlay(struct overlay_request *q, const char *target)
{
	return mount_request(q, target, false);
}

int mount_overlay_as_before_615(struct overlay_request *q, const char *target)
{
	return mount_request(q, target, true);
}
