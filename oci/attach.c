// SPDX-License-Identifier: MIT
/*
 * Mapped mounts in a container that a runtime has mounted, but not entered yet. The trees are made in
 * the caller's mount namespace, since their sources are there. Then they replace the unmapped mounts
 * that the runtime has put at their destinations (exchange.c).
 *
 * No mount is changed before all trees exist and all checks have passed:
 * - The process is alive and has mounts of its own.
 * - The bundle's root filesystem is the one in the container's mount namespace.
 * - Each destination holds the source of its mount. It is resolved below that root, as the container
 *   will see it.
 * - No other mount is at the place of a mapped one, whatever links lead there.
 * - The container's table of mounts agrees (runtime-mounts.c).
 *
 * A destination is resolved once, to the descriptor of the mount that is there. The reason: a volume may
 * be shared with a running container, which can exchange a directory for a link at any time. Two things
 * are looked up again, and neither lookup follows a link: the directory in which the mount is, and the
 * place on a tree that covers it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "exchange.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/path-below.h"
#include "lib/rootfs/assemble.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"
#include "lock-trees.h"
#include "mount-error.h"
#include "new-tmpfs.h"
#include "oci.h"
#include "open-inside.h"
#include "placing.h"
#include "runtime-mounts.h"

static const enum idm_error_step step_enter = IDM_STEP_ENTER_CONTAINER;

/* ---- the container ---- */

struct container {
	int pidfd;
	int namespace; /* the mount namespace */
	int mountinfo; /* of that */
	int userns;    /* the user namespace that owns it; -1: the caller's own */
	int process_root;
	int root; /* directory of the root filesystem, as it is in there */
};

static void close_container(struct container *c)
{
	idm_close_fd(&c->pidfd);
	idm_close_fd(&c->namespace);
	idm_close_fd(&c->mountinfo);
	idm_close_fd(&c->userns);
	idm_close_fd(&c->process_root);
	idm_close_fd(&c->root);
}

/* Files opened by the process number are the process's only if it was alive all the time. */
static int prove_container_alive(const struct container *c, const char *name, struct idm_error *err)
{
	int r = idm_sys_pidfd_send_signal(c->pidfd, 0);

	return r == -ESRCH ? idm_fail(err, r, step_enter, name, "the process has exited") : 0;
}

/* The magic link "root" leads into the process's mount namespace, without joining that. */
static int open_files_of_process(struct container *c, const char *name, struct idm_error *err)
{
	AUTO_CLOSE int process = idm_procfs_open(c->pidfd, false, err);
	int r;

	if (process < 0)
		return process;
	c->namespace = idm_procfs_openat(process, "ns/mnt", O_RDONLY);
	c->mountinfo = idm_procfs_openat(process, "mountinfo", O_RDONLY);
	c->process_root = idm_sys_openat(process, "root", O_PATH | O_DIRECTORY, 0);
	r = prove_container_alive(c, name, err);
	if (r < 0)
		return r;
	r = c->namespace < 0 ? c->namespace : c->mountinfo < 0 ? c->mountinfo : c->process_root;
	return r < 0 ? idm_fail(err, r, step_enter, name, "open its mount namespace: %s",
				idm_errno_text(-r))
		     : 0;
}

static int open_container_mounts(struct container *c, int proc, const char *name, struct idm_error *err)
{
	AUTO_CLOSE int own = -1;
	int r = open_files_of_process(c, name, err);

	if (r < 0)
		return r;
	own = idm_procfs_open_self_in(proc, "ns/mnt", step_enter, err);
	if (own < 0)
		return own;
	if (!idm_is_same_inode(own, c->namespace))
		return open_other_owner(c->namespace, &c->userns, name, err);
	return idm_fail(err, -EINVAL, step_enter, name,
			"it has no mount namespace of its own: its mounts are the host's");
}

/*
 * Until the runtime has moved it, the process's root directory is that of its mount namespace. From
 * another one its mountinfo would lack mounts.
 */
static int check_process_root(const struct container *c, int proc, const char *name,
			      struct idm_error *err)
{
	char path[PATH_MAX];
	ssize_t n = idm_procfs_fd_path(proc, c->process_root, path, sizeof(path));

	if (n < 0)
		return idm_fail_errno(err, (int)n, step_enter, name);
	if (strcmp(path, "/") == 0)
		return 0;
	return idm_fail(err, -EINVAL, step_enter, name,
			"expected the root directory of its mount namespace as its own, got %s", path);
}

static int open_container_root(struct container *c, const struct idm_plan_entry *root,
			       const char *bundle, struct idm_error *err)
{
	AUTO_CLOSE int here = idm_sys_openat(root->dirfd, root->source, O_PATH | O_DIRECTORY, 0);
	AUTO_FREE char *path = NULL;

	if (here < 0)
		return idm_fail(err, here, step_enter, root->source, "open the root filesystem: %s",
				idm_errno_text(-here));
	if (asprintf(&path, "%s%s%s", *root->source == '/' ? "" : bundle,
		     *root->source == '/' ? "" : "/", root->source) < 0) {
		path = NULL;
		return idm_fail_errno(err, -ENOMEM, step_enter, NULL);
	}
	c->root = open_inside(c->process_root, path, O_PATH | O_DIRECTORY);
	if (c->root < 0)
		return idm_fail(err, c->root, step_enter, path, "it is not in its mount namespace: %s",
				idm_errno_text(-c->root));
	if (idm_is_same_inode(here, c->root))
		return 0;
	idm_fail(err, -EXDEV, step_enter, path, "it is another directory in its mount namespace");
	idm_hint(err, "a createRuntime hook, with the bundle of that container, finds the same one");
	return -EXDEV;
}

/* The arguments of idm_oci_attach(). */
struct call {
	const struct idm_oci *oci;
	pid_t pid;
	const char *bundle;
	int proc; /* idm_procfs_root() */
};

static int open_container(struct container *c, const struct call *call, struct idm_error *err)
{
	char name[32];
	int r;

	*c = (struct container){ -1, -1, -1, -1, -1, -1 };
	snprintf(name, sizeof(name), "process %d", (int)call->pid);
	c->pidfd = idm_sys_pidfd_open(call->pid);
	if (c->pidfd < 0)
		return idm_fail_because(err, c->pidfd, step_enter, name,
					c->pidfd == -ESRCH ? "no such process" : NULL);
	r = open_container_mounts(c, call->proc, name, err);
	if (r == 0)
		r = check_process_root(c, call->proc, name, err);
	if (r == 0)
		r = open_container_root(c, &call->oci->plan->entries[0], call->bundle, err);
	return r == 0 ? prove_container_alive(c, name, err) : r;
}

/* ---- the mounts and their places ---- */

static int check_runtime_mount(const struct placing *p, int source, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	name_placing(p, name, sizeof(name));
	if (p->place < 0)
		return idm_fail_because(
			err, p->place, step_enter, name,
			p->place == -ENOENT ? "there is no such place in its root filesystem" : NULL);
	if (idm_is_mount_point(p->place) && (source < 0 || idm_is_same_inode(source, p->place)))
		return 0;
	idm_fail(err, -EINVAL, step_enter, name, "the runtime has not mounted it there");
	idm_hint(err, "a createRuntime hook runs when it has; nothing else may cover the place");
	return -EINVAL;
}

/*
 * "shared" makes a mount a peer of its source only if the runtime lets it. Otherwise all mounts in the
 * container are slaves of the host's. Mounts that the container adds below then stay in it. In another
 * user namespace the kernel makes slaves of the runtime's mounts in any case.
 */
static enum idm_propagation choose_propagation(const struct idm_oci *oci, const struct container *c,
					       const struct idm_plan_entry *step)
{
	if (step->propagation != IDM_PROPAGATION_SHARED)
		return IDM_PROPAGATION_DEFAULT;
	return oci->shared_root && c->userns < 0 ? IDM_PROPAGATION_SHARED : IDM_PROPAGATION_SLAVE;
}

/* Finds the path of the place without links. */
static int find_place_path(struct placing *p, int proc, struct idm_error *err)
{
	char path[PATH_MAX];
	ssize_t n = idm_procfs_fd_path(proc, p->place, path, sizeof(path));

	if (n < 0)
		return idm_fail(err, (int)n, step_enter, p->destination, "find its path: %s",
				idm_errno_text((int)-n));
	p->path = strdup(path);
	/* analyzer: close_placings() frees it */
	return p->path ? 0 : idm_fail_errno(err, -ENOMEM, step_enter, NULL);
}

/* The parts that all placings share. */
struct preparation {
	const struct idm_oci *oci;
	const struct container *container;
	int proc;
};

/* The tree is made of the source that was checked, not of another that has its name by now. */
static void copy_entry(struct placing *p, const struct preparation *all,
		       const struct idm_oci_mount *mount)
{
	static char itself[] = "";

	p->mapped = true;
	p->own_map = mount->own_map;
	p->annotation = mount->annotation;
	p->step = all->oci->plan->entries[mount->step];
	p->step.copied_as = choose_propagation(all->oci, all->container, &p->step);
	if (mount->source < 0)
		return;
	p->step.dirfd = mount->source;
	p->step.source = itself;
}

/* Closes the place if the runtime has mounted nothing there. The kind of mount does not matter. */
static int find_unmapped_mount(struct placing *p, struct idm_error *err)
{
	if (p->place == -EMFILE || p->place == -ENFILE)
		return idm_fail_errno(err, p->place, step_enter, p->destination);
	if (p->place >= 0 && !idm_is_mount_point(p->place))
		idm_close_fd(&p->place);
	return 0;
}

/*
 * A mount without a map may be missing: a later one can hide it. But one on a mapped mount would be gone
 * with the runtime's mount. A neighbour that shares the volume can have exchanged its name.
 */
static bool has_to_be_there(const struct idm_oci *oci, size_t i)
{
	bool on_mapped = false;

	for (size_t j = 0; j < oci->n; j++) {
		if (j == i || !idm_path_below(oci->mounts[i].destination, oci->mounts[j].destination))
			continue;
		if (j > i)
			return false;
		on_mapped = on_mapped || oci->mounts[j].step;
	}
	return on_mapped;
}

static int prepare_placing(struct placing *p, const struct preparation *all, size_t i,
			   struct idm_error *err)
{
	const struct idm_oci_mount *mount = &all->oci->mounts[i];
	int r;

	*p = (struct placing){
		.tree = -1, .place = -1, .directory = -1, .group = { -1, -1 }, .cover_group = { -1, -1 }
	};
	p->destination = mount->destination;
	/* What the container will find there. */
	p->place = open_inside(all->container->root, *p->destination ? p->destination : ".", O_PATH);
	if (mount->step) {
		copy_entry(p, all, mount);
		r = check_runtime_mount(p, mount->source, err);
	} else if (has_to_be_there(all->oci, i)) {
		r = check_runtime_mount(p, -1, err);
	} else {
		r = find_unmapped_mount(p, err);
	}
	return r < 0 || p->place < 0 ? r : find_place_path(p, all->proc, err);
}

/*
 * With a rootless engine idmountd makes the map. There IDs on disk count on the host: the filesystem is
 * one of the host's.
 */
static int make_tree_by_service(const struct placing *p, struct idm_userns_cache *cache,
				struct idm_error *err)
{
	struct idm_plan_apply_options options = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_plan_entry step = p->step;
	struct idm_map *on_host = NULL;
	int r = 0;

	options.flags = IDM_PLAN_APPLY_SERVICE;
	if (p->own_map)
		r = count_disk_ids_on_host(step.map, &on_host, err);
	if (r < 0)
		return r;
	if (on_host)
		step.map = on_host;
	r = idm_plan_entry_make(&step, &options, cache, err);
	idm_map_free(on_host);
	return r;
}

static int make_placed_tree(const struct placing *p, struct idm_userns_cache *cache,
			    struct idm_error *err)
{
	const struct idm_plan_apply_options options = IDM_PLAN_APPLY_OPTIONS_INIT;
	int r = idm_plan_entry_make(&p->step, &options, cache, err);

	if (r == -EPERM && !idm_in_initial_userns())
		r = make_tree_by_service(p, cache, err);
	return name_mount_of_error(r, &p->step, p->annotation, err);
}

static int make_placed_trees(struct placing *placings, size_t n, struct idm_error *err)
{
	struct idm_userns_cache *cache;
	int r = idm_userns_cache_new(16, &cache, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (placings[i].mapped)
			r = placings[i].tree = make_placed_tree(&placings[i], cache, err);
	idm_userns_cache_free(cache);
	return r < 0 ? r : 0;
}

/* ---- two mounts at one place ---- */

/* The names differ if a link in the root filesystem, or in another mount, leads from one to the other.
 */
static int refuse_place(const struct placing *mapped, const struct placing *other, const char *how,
			struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	idm_plan_entry_name(&mapped->step, name, sizeof(name));
	idm_fail(err, -EINVAL, step_enter, name, "%s the mount on /%s", how, other->destination);
	idm_hint(err, "symbolic links can be the cause; name another destination for one of the two");
	return -EINVAL;
}

/*
 * Of two mounts, the later one covers the earlier one, if it is at the same place or above. Then a place
 * below is in the later one, and does not show what the runtime has mounted for the earlier one.
 */
static int check_two_places(const struct placing *earlier, const struct placing *later,
			    struct idm_error *err)
{
	const char *rest = earlier->path && later->path ? idm_path_below(earlier->path, later->path)
							: NULL;

	if (!rest)
		return 0;
	if (!*rest && later->mapped)
		return refuse_place(later, earlier, "it is at the same place as", err);
	if (!*rest && earlier->mapped)
		return refuse_place(earlier, later, "it is at the same place as", err);
	return earlier->mapped ? refuse_place(earlier, later, "it is hidden by", err) : 0;
}

static int check_places(const struct placing *placings, size_t n, struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		for (size_t j = i + 1; j < n && r == 0; j++)
			r = check_two_places(&placings[i], &placings[j], err);
	return r;
}

/* ---- mounts below others, and mount points ---- */

/*
 * Finds the mount that the place of `p` is on, as the container sees it. A later mount hides an earlier
 * one that is below it, so that is the last one with the place in it.
 */
static void find_cover(const struct placing *placings, struct placing *p)
{
	for (const struct placing *q = placings; q < p; q++) {
		const char *rest = p->path && q->path ? idm_path_below(p->path, q->path) : NULL;

		if (!rest)
			continue;
		p->cover = q->mapped ? q : NULL;
		p->rest = rest;
	}
}

/* A tree that is shared has to stay a peer of its source, so mounts on it are refused. */
static int check_cover_not_shared(const struct placing *p, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	if (!p->cover || p->cover->step.copied_as != IDM_PROPAGATION_SHARED)
		return 0;
	name_placing(p, name, sizeof(name));
	return idm_fail(err, -EOPNOTSUPP, IDM_STEP_ATTACH_IN_CONTAINER, name,
			"it is below a mount that is shared with the host, where it would appear too");
}

static bool is_same_mount(int a, int b)
{
	uint64_t of_a, of_b;

	return idm_short_mount_id(a, &of_a) == 0 && idm_short_mount_id(b, &of_b) == 0 && of_a == of_b;
}

/* Opens the directory `path` below `root` if the mount of `p` is in it. Names can change at any time. */
static int open_directory_of_mount(const struct placing *p, int root, const char *path)
{
	AUTO_CLOSE int directory = open_below(root, path, O_PATH | O_DIRECTORY, 0), mount = -1;

	if (directory < 0)
		return directory;
	mount = open_below(directory, p->name, O_PATH, 0);
	if (mount < 0)
		return mount;
	return is_same_mount(mount, p->place) ? idm_steal_fd(&directory) : -ESTALE;
}

static int open_place_directory(struct placing *p, int root, const char *root_path,
				struct idm_error *err)
{
	const char *below = idm_path_below(p->path, root_path), *slash;
	AUTO_FREE char *path = NULL;
	char name[IDM_PLAN_ENTRY_NAME];

	name_placing(p, name, sizeof(name));
	if (!below || !*below)
		return idm_fail(err, -EINVAL, step_enter, name,
				"its place is the root filesystem itself");
	slash = strrchr(below, '/');
	p->name = slash ? slash + 1 : below;
	path = slash ? strndup(below, (size_t)(slash - below)) : strdup(".");
	if (!path)
		return idm_fail_errno(err, -ENOMEM, step_enter, NULL);
	p->directory = open_directory_of_mount(p, root, path);
	if (p->directory >= 0)
		return 0;
	return idm_fail(err, p->directory, step_enter, name, "find its mount point: %s",
			idm_errno_text(-p->directory));
}

/* A mapped mount replaces the runtime's, or is put on a tree. There, a mount without a map is moved to
 * it. */
static bool is_runtime_mount_moved(const struct placing *p)
{
	return p->place >= 0 && p->mapped == !p->cover;
}

static int find_mount_points(struct placing *placings, const struct preparation *all, size_t n,
			     struct idm_error *err)
{
	struct placing root = { .destination = "", .place = all->container->root };
	int r = find_place_path(&root, all->proc, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		struct placing *p = &placings[i];

		find_cover(placings, p);
		r = check_cover_not_shared(p, err);
		if (r == 0 && is_runtime_mount_moved(p))
			r = open_place_directory(p, root.place, root.path, err);
	}
	free(root.path);
	return r;
}

/* ---- all ---- */

static int prepare_placings(struct placing *placings, const struct preparation *all, size_t *n,
			    struct idm_error *err)
{
	int r = 0;

	for (*n = 0; *n < all->oci->n && r == 0; ++*n)
		r = prepare_placing(&placings[*n], all, *n, err);
	if (r == 0)
		r = check_places(placings, *n, err);
	return r == 0 ? find_mount_points(placings, all, *n, err) : r;
}

static void close_placings(struct placing *placings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		idm_close_fd(&placings[i].tree);
		idm_close_fd(&placings[i].place);
		idm_close_fd(&placings[i].directory);
		free(placings[i].path);
	}
	free(placings);
}

int idm_oci_attach(const struct idm_oci *oci, pid_t pid, const char *bundle, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);
	struct placing *placings = proc < 0 ? NULL : calloc(oci->n + 1, sizeof(*placings));
	struct container c;
	const struct preparation all = { .oci = oci, .container = &c, .proc = proc };
	struct mount_tables where;
	size_t n = 0;
	int r;

	if (proc < 0)
		return proc;
	if (!placings)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_ATTACH_IN_CONTAINER, NULL);
	r = open_container(&c, &(struct call){ oci, pid, bundle, proc }, err);
	if (r == 0)
		r = prepare_placings(placings, &all, &n, err);
	if (r == 0)
		r = make_placed_trees(placings, n, err);
	if (r == 0 && c.userns >= 0)
		r = lock_trees(placings, n, c.userns, err);
	where = (struct mount_tables){ c.namespace, c.mountinfo, c.root, proc };
	if (r == 0)
		r = check_runtime_mounts(placings, n, &where, err);
	if (r == 0)
		r = prepare_new_tmpfs(placings, n, err);
	if (r == 0)
		r = exchange_mounts(placings, n, &where, err);
	close_placings(placings, n);
	close_container(&c);
	return r;
}
