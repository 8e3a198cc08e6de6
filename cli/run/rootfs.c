// SPDX-License-Identifier: MIT
/* The root filesystem and all that is mounted in it, as detached trees, for the child to attach. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/new-filesystem.h"
#include "cli/common/report.h"
#include "lib/base/mapped-hint.h"
#include "oci/new-namespaces.h"
#include "run.h"

/* The root always gets the container's map. */
static int report_root_error(struct idm_error *err)
{
	idm_hint_mapped(err, "name it by a path where it has no map: the root gets the container's");
	return report_error(err);
}

/*
 * Returns the tree of a path, mapped if `userns` is not negative. Returns less than 0 after a report.
 * `where` names the owner of the map, "" for the root.
 */
static int open_tree_by(const char *where, const char *path, int userns,
			const struct idm_tree_options *o)
{
	struct idm_error err;
	int tree = idm_tree_open(AT_FDCWD, path, userns, o, &err);

	if (tree < 0 && *where)
		report_error(&err);
	else if (tree < 0)
		report_root_error(&err);
	return tree;
}

/* Likewise, mapped if a map exists. */
static int open_mapped_tree(const char *where, const char *path, const struct idm_map *map,
			    const struct idm_tree_options *o)
{
	struct idm_error err;
	int userns = -1, tree;

	if (map) {
		userns = idm_userns_open(map, 0, &err);
		if (userns < 0) {
			report_error_in(where, &err);
			return -1;
		}
	}
	tree = open_tree_by(where, path, userns, o);
	if (userns >= 0)
		close(userns);
	return tree;
}

/* ---- the root ---- */

/* A device node in an image would be the host's device. */
static uint32_t attributes_of(const struct run_request *q)
{
	return (q->read_only ? IDM_ATTR_RDONLY : 0) | (q->dev ? 0 : IDM_ATTR_NODEV);
}

/* Makes a tmpfs for changes that are to vanish. */
static int make_upper(const struct run_request *q, struct idm_path *upper, struct idm_path *work)
{
	struct run_size_options size;
	const char *const options[] = { size.size, size.inodes };
	int tree;

	tree = open_unmapped_filesystem("tmpfs", options, run_size_options(q, &size));
	if (tree < 0)
		return FAILED;
	if (mkdirat(tree, "upper", 0755) < 0 || mkdirat(tree, "work", 0755) < 0 ||
	    fchownat(tree, "upper", q->uid0, q->gid0, 0) < 0) {
		report_failure("make the upper directory: %s", strerror(errno));
		close(tree);
		return FAILED;
	}
	*upper = (struct idm_path){ tree, "upper" };
	*work = (struct idm_path){ tree, "work" };
	return DONE;
}

/*
 * Before Linux 6.15 layers have to be attached. So the upper layer is attached in a new mount namespace
 * while the overlay is made. No path of a layer leads through this place. No other process sees it.
 */
#define PLACE "/sys"

static int open_with_attached_upper(const struct run_request *q, const struct idm_overlay_options *o,
				    struct idm_error *err)
{
	struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
	int tree, r = q->rootless ? 0 : enter_new_mount_namespace(err);

	attach.propagation = IDM_PROPAGATION_PRIVATE;
	if (r == 0)
		r = idm_tree_attach(o->upper->dirfd, AT_FDCWD, PLACE, &attach, err);
	if (r < 0)
		return r;
	tree = idm_overlay_open(o, err);
	r = idm_umount(AT_FDCWD, PLACE, IDM_UMOUNT_LAZY, tree < 0 ? NULL : err);
	if (tree < 0 || r == 0)
		return tree;
	close(tree);
	return r;
}

/*
 * Before Linux 6.15 the overlay is made in another mount namespace. An ordinary user's staging namespace
 * for that is a second copy of the mount table, which later kernels do not require.
 */
static int make_overlay_in_namespace(const struct run_request *q, struct run_root *root,
				     struct idm_overlay_options *o, struct idm_error *err)
{
	if (q->rootless)
		root->staging = run_open_staging();
	o->staging_fd = root->staging;
	return q->ephemeral ? open_with_attached_upper(q, o, err) : idm_overlay_open(o, err);
}

/* The layers are detached. */
static int make_overlay(const struct run_request *q, struct run_root *root, struct idm_overlay_options o,
			struct idm_error *err)
{
	int tree;

	o.flags |= IDM_OVERLAY_BY_DESCRIPTOR;
	tree = idm_overlay_open(&o, err);
	if (tree != -EOPNOTSUPP)
		return tree;
	o.flags &= ~IDM_OVERLAY_BY_DESCRIPTOR;
	return make_overlay_in_namespace(q, root, &o, err);
}

static int open_overlay(const struct run_request *q, struct run_root *root)
{
	static const struct idm_mount_option userxattr = { "userxattr", NULL };
	struct idm_path rootfs = { AT_FDCWD, q->rootfs }, upper = { AT_FDCWD, q->upper },
			work = { AT_FDCWD, q->work };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_error err;
	int status = q->ephemeral ? make_upper(q, &upper, &work) : DONE;

	if (status != DONE)
		return status;
	/* Nothing else can use a directory that this process has just created. */
	o.flags = IDM_OVERLAY_SERVICE | (q->ephemeral ? IDM_OVERLAY_UPPER_UNUSED : 0);
	o.lower = q->rootfs ? &rootfs : q->layers.lower;
	o.n_lower = q->rootfs ? 1 : q->layers.n_lower;
	o.data = q->layers.data;
	o.n_data = q->layers.n_data;
	if (upper.path) {
		o.upper = &upper;
		o.work = &work;
	}
	o.map = run_map_of_root(q);
	/* Changes that vanish have no IDs to keep. */
	o.upper_ids = o.map && q->upper ? IDM_UPPER_DISK : IDM_UPPER_SHIFTED;
	o.attr = attributes_of(q);
	if (q->rootless) {
		o.options = &userxattr;
		o.n_options = 1;
	}
	root->tree = make_overlay(q, root, o, &err);
	if (q->ephemeral)
		close(upper.dirfd);
	return root->tree < 0 ? report_root_error(&err) : DONE;
}

/* Outside of an ordinary user's namespace the container's user namespace has the root's map. */
static int open_mapped_root(const struct run_request *q, struct run_root *root,
			    const struct idm_tree_options *o)
{
	if (q->rootless)
		return open_mapped_tree("", q->rootfs, run_map_of_root(q), o);
	return run_make_userns(q, &root->userns) == DONE ? open_tree_by("", q->rootfs, root->userns, o)
							 : -1;
}

static int open_root_tree(const struct run_request *q, struct run_root *root)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct stat st;

	if (!q->rootfs || q->ephemeral)
		return open_overlay(q, root);
	if (stat(q->rootfs, &st) == 0 && !S_ISDIR(st.st_mode))
		return report_failure("%s: expected a directory as root filesystem", q->rootfs);
	o.flags = IDM_TREE_SERVICE;
	o.attr_set = attributes_of(q);
	root->tree = open_mapped_root(q, root, &o);
	return root->tree < 0 ? FAILED : DONE;
}

/* ---- mounts in the root ---- */

static int add_host_tree(struct run_root *root, const char *path, uint32_t attr)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	int tree;

	o.flags = IDM_TREE_RECURSIVE;
	o.attr_set = attr;
	tree = open_tree_by("", path, -1, &o);
	return tree < 0 ? FAILED : run_add_mount(root, path, NULL, tree, 0, IDM_CHILD_MOUNT_MKDIR);
}

static int add_system(const struct run_request *q, struct run_root *root)
{
	const uint32_t attr = IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC;
	int status = q->new_pid ? run_add_mount(root, "/proc", "proc", -1, attr, IDM_CHILD_MOUNT_MKDIR)
				: add_host_tree(root, "/proc", attr);

	if (status != DONE)
		return status;
	/* A sysfs shows the mounter's network namespace, and requires CAP_SYS_ADMIN over it. */
	return q->new_net ? run_add_mount(root, "/sys", "sysfs", -1, attr | IDM_ATTR_RDONLY,
					  IDM_CHILD_MOUNT_MKDIR)
			  : add_host_tree(root, "/sys", attr | IDM_ATTR_RDONLY);
}

static int add_bind(struct run_request *q, struct run_root *root, struct run_bind *b)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_map *map;
	char where[512];
	int tree, status = run_map_of_bind(q, b, &map);

	if (status != DONE)
		return status;
	run_harden_bind(b, map, q->maps.map);
	/* The service adds no map to another one. */
	o.flags = (b->mapped_flags ? b->mapped_flags : IDM_TREE_SERVICE) |
		  (b->recursive ? IDM_TREE_RECURSIVE : 0);
	o.attr_set = b->mount_options.set;
	o.attr_clear = b->mount_options.clear;
	o.propagation = b->mount_options.propagation;
	snprintf(where, sizeof(where), "--bind %s", b->source);
	tree = open_mapped_tree(where, b->source, map, &o);
	idm_map_free(map);
	return tree < 0 ? FAILED : run_add_mount(root, b->target, NULL, tree, 0, IDM_CHILD_MOUNT_MKDIR);
}

int run_make_root(struct run_request *q, struct run_root *root)
{
	int status = open_root_tree(q, root);

	if (status == DONE)
		status = add_system(q, root);
	if (status == DONE)
		status = run_add_masks(q, root);
	if (status == DONE)
		status = run_make_dev(q, root);
	for (size_t i = 0; i < q->n_binds && status == DONE; i++)
		status = add_bind(q, root, &q->binds[i]);
	if (status == DONE) {
		run_report_binds(q);
		report_exposed(&q->exposed);
	}
	return status;
}

static void close_once(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/*
 * The kernel waits when the last descriptor of a mount without a place is closed: it does so while the
 * program runs. The terminal stays open: without it, the kernel would report a hangup between two users.
 */
void run_root_release(struct run_root *root)
{
	for (size_t i = 0; i < root->n_mounts; i++)
		close_once(&root->mounts[i].tree_fd);
	close_once(&root->tree);
	close_once(&root->userns);
	close_once(&root->staging);
	close_once(&root->null);
	run_cgroup_release(&root->cgroup);
}

void run_root_free(struct run_root *root)
{
	run_root_release(root);
	free(root->mounts);
	run_cgroup_free(&root->cgroup);
	close_once(&root->terminal);
	close_once(&root->terminal_master);
}
