// SPDX-License-Identifier: MIT
/*
 * Mapped mounts in a container that a runtime has mounted, but not entered yet. The trees are made in
 * the caller's mount namespace, since their sources are there. A child joins the container's mount
 * namespace. It attaches each tree on top of the unmapped mount that the runtime has put at its
 * destination, and removes that mount when all are attached.
 *
 * No tree is attached before all trees exist and all checks have passed:
 * - The process is alive and has mounts of its own.
 * - The bundle's root filesystem is the one in the container's mount namespace.
 * - Each destination holds the source of its mount. It is resolved below that root, as the container
 *   will see it.
 * - No other mount is at the place of a mapped one, whatever links lead there.
 *
 * A destination is resolved once, and its mount is attached to the resulting descriptor. The reason: a
 * volume may be shared with a running container, which can exchange a directory for a link at any time.
 * Only a destination below one of these trees is resolved again. That begins at the tree, and follows
 * no links.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/rootfs/assemble.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "mount-error.h"
#include "oci.h"

static const enum idm_error_step step_enter = IDM_STEP_ENTER_CONTAINER;
static const enum idm_error_step step_attach = IDM_STEP_ATTACH_IN_CONTAINER;

/* No link leads out of the root filesystem: the destination is what the container will find there. */
static int open_in(int root, const char *path)
{
	return idm_sys_openat2(root, *path ? path : ".", O_PATH, 0,
			       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* ---- the container ---- */

struct container {
	int pidfd;
	int namespace; /* the mount namespace */
	int root;      /* directory of the root filesystem, as it is in there */
};

static void close_container(struct container *c)
{
	idm_close_fd(&c->pidfd);
	idm_close_fd(&c->namespace);
	idm_close_fd(&c->root);
}

/* Files opened by the process number are the process's only if it was alive all the time. */
static int prove_container_alive(const struct container *c, const char *name, struct idm_error *err)
{
	int r = idm_sys_pidfd_send_signal(c->pidfd, 0);

	return r == -ESRCH ? idm_fail(err, r, step_enter, name, "the process has exited") : 0;
}

static int open_container_mounts(struct container *c, const char *name, struct idm_error *err)
{
	AUTO_CLOSE int process = idm_procfs_open(c->pidfd, false, err), own = -1;
	int r;

	if (process < 0)
		return process;
	c->namespace = idm_procfs_openat(process, "ns/mnt", O_RDONLY);
	r = prove_container_alive(c, name, err);
	if (r < 0)
		return r;
	if (c->namespace < 0)
		return idm_fail(err, c->namespace, step_enter, name, "open its mount namespace: %s",
				idm_errno_text(-c->namespace));
	own = idm_procfs_open_self("ns/mnt", step_enter, err);
	if (own < 0)
		return own;
	if (!idm_is_same_inode(own, c->namespace))
		return 0;
	return idm_fail(err, -EINVAL, step_enter, name,
			"it has no mount namespace of its own: its mounts are the host's");
}

struct search {
	int namespace;
	const char *path;
};

/*
 * After setns(2) the child's root directory is that of the mount namespace. Until the runtime has moved
 * it, that is the host's.
 */
static int find_container_root(void *data)
{
	const struct search *s = data;
	int r = idm_sys_setns(s->namespace, CLONE_NEWNS);

	return r < 0 ? r : idm_sys_openat(AT_FDCWD, s->path, O_PATH | O_DIRECTORY, 0);
}

static int open_container_root(struct container *c, const struct idm_plan_entry *root,
			       const char *bundle, struct idm_error *err)
{
	AUTO_CLOSE int here = idm_sys_openat(root->dirfd, root->source, O_PATH | O_DIRECTORY, 0);
	AUTO_FREE char *path = NULL;
	struct search s = { .namespace = c->namespace };

	if (here < 0)
		return idm_fail(err, here, step_enter, root->source, "open the root filesystem: %s",
				idm_errno_text(-here));
	if (asprintf(&path, "%s%s%s", *root->source == '/' ? "" : bundle,
		     *root->source == '/' ? "" : "/", root->source) < 0) {
		path = NULL;
		return idm_fail_errno(err, -ENOMEM, step_enter, NULL);
	}
	s.path = path;
	c->root = idm_subprocess_shared(find_container_root, &s, sizeof(s));
	if (c->root == -EPERM)
		idm_fail(err, c->root, step_enter, path, "join its mount namespace: %s",
			 idm_errno_text(EPERM));
	else if (c->root < 0)
		idm_fail(err, c->root, step_enter, path, "it is not in its mount namespace: %s",
			 idm_errno_text(-c->root));
	if (c->root < 0)
		return c->root;
	if (idm_is_same_inode(here, c->root))
		return 0;
	idm_fail(err, -EXDEV, step_enter, path, "it is another directory in its mount namespace");
	idm_hint(err, "a createRuntime hook, with the bundle of that container, finds the same one");
	return -EXDEV;
}

static int open_container(struct container *c, const struct idm_oci *oci, pid_t pid, const char *bundle,
			  struct idm_error *err)
{
	char name[32];
	int r;

	*c = (struct container){ -1, -1, -1 };
	snprintf(name, sizeof(name), "process %d", (int)pid);
	c->pidfd = idm_sys_pidfd_open(pid);
	if (c->pidfd < 0)
		return idm_fail_because(err, c->pidfd, step_enter, name,
					c->pidfd == -ESRCH ? "no such process" : NULL);
	r = open_container_mounts(c, name, err);
	if (r == 0)
		r = open_container_root(c, &oci->plan->entries[0], bundle, err);
	return r == 0 ? prove_container_alive(c, name, err) : r;
}

/* ---- the mounts and their places ---- */

/* For one mount of the configuration. */
struct placing {
	const char *destination;
	const char *annotation; /* that asks for the map; NULL: the engine asks */
	bool mapped, own_map;
	struct idm_plan_entry step; /* a copy, which owns nothing */
	int tree;		    /* -1: it has no map */
	int place;		    /* the runtime's mount there; -1: none to handle */
	char *path;		    /* where that is, in the container's mount namespace */
	int again;		    /* a copy of it, on top of a mount that would hide it */
};

static int check_runtime_mount(const struct placing *p, int source, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	idm_plan_entry_name(&p->step, name, sizeof(name));
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
 * container are slaves of the host's. Mounts that the container adds below then stay in it.
 */
static enum idm_propagation choose_propagation(const struct idm_oci *oci,
					       const struct idm_plan_entry *step)
{
	if (step->propagation != IDM_PROPAGATION_SHARED)
		return IDM_PROPAGATION_DEFAULT;
	return oci->shared_root ? IDM_PROPAGATION_SHARED : IDM_PROPAGATION_SLAVE;
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
	/* analyzer: idm_oci_attach() frees it */
	return p->path ? 0 : idm_fail_errno(err, -ENOMEM, step_enter, NULL);
}

/* The tree is made of the source that was checked, not of another that has its name by now. */
static void copy_entry(struct placing *p, const struct idm_oci *oci, const struct idm_oci_mount *mount)
{
	static char itself[] = "";

	p->mapped = true;
	p->own_map = mount->own_map;
	p->annotation = mount->annotation;
	p->step = oci->plan->entries[mount->step];
	p->step.copied_as = choose_propagation(oci, &p->step);
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
	if (p->place >= 0 && !idm_is_mount_point(p->place)) {
		idm_close_fd(&p->place);
		p->place = -1;
	}
	return 0;
}

/* The parts that all placings share. */
struct preparation {
	const struct idm_oci *oci;
	const struct container *container;
	int proc;
};

static int prepare_placing(struct placing *p, const struct preparation *all, size_t i,
			   struct idm_error *err)
{
	const struct idm_oci_mount *mount = &all->oci->mounts[i];
	int r;

	*p = (struct placing){ .tree = -1, .place = -1, .again = -1 };
	p->destination = mount->destination;
	p->place = open_in(all->container->root, p->destination);
	if (mount->step) {
		copy_entry(p, all->oci, mount);
		r = check_runtime_mount(p, mount->source, err);
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

/* ---- attaching the trees: in a child, by system calls only ---- */

enum doing { RESOLVING, SEPARATING, SHARING, ATTACHING, COPYING, PROPAGATING, REPLACING };

struct answer {
	size_t which;
	enum doing doing;
};

struct attachment {
	const struct container *container;
	int proc; /* the root of a procfs that shows the child */
	struct placing *placings;
	size_t n;
	struct answer answer;
	bool peers; /* a tree is attached from which mounts propagate to the host */
};

/* Returns the rest of `path` below `directory`; NULL: `path` is not in there. */
static const char *get_path_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (strncmp(path, directory, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

/*
 * Returns the last of the attached trees and copies that covers the place of `p`; NULL: none covers it.
 * *rest is the path from that tree to the place.
 */
static const struct placing *find_cover(const struct attachment *a, const struct placing *p,
					const char **rest)
{
	const struct placing *cover = NULL;

	for (const struct placing *q = a->placings; q < p; q++) {
		const char *more = q->path ? get_path_below(p->path, q->path) : NULL;

		if (!more || (q->tree < 0 && q->again < 0) ||
		    (cover && strlen(q->path) < strlen(cover->path)))
			continue;
		cover = q;
		*rest = more;
	}
	return cover;
}

static int attach_tree(struct attachment *a, const struct placing *p, int tree)
{
	const char *rest = "";
	const struct placing *cover = find_cover(a, p, &rest);
	int to = !cover ? p->place : cover->tree >= 0 ? cover->tree : cover->again;
	AUTO_CLOSE int found = -1;

	if (*rest) {
		a->answer.doing = RESOLVING;
		found = idm_sys_openat2(to, rest, O_PATH, 0,
					RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
		if (found < 0)
			return found;
		to = found;
	}
	a->answer.doing = ATTACHING;
	return idm_sys_move_mount_fd(tree, to, 0);
}

static bool is_hidden(const struct attachment *a, const struct placing *p)
{
	const char *rest;

	return p->place >= 0 && find_cover(a, p, &rest);
}

/* The name of a mount, from the working directory that name_mount() sets. */
struct mount_name {
	char text[32];
};

/*
 * The working directory leads to a directory, whatever /proc is in there. Only the link of its
 * descriptor leads to a file.
 */
static bool name_mount(const struct attachment *a, int root, struct mount_name *name)
{
	struct stat st;

	strcpy(name->text, ".");
	if (idm_sys_fchdir(root) == 0)
		return true;
	snprintf(name->text, sizeof(name->text), "self/fd/%d", root);
	return idm_sys_fchdir(a->proc) == 0 && idm_sys_fstatat(AT_FDCWD, name->text, &st, 0) == 0;
}

static void detach_tree(const struct attachment *a, int tree)
{
	struct mount_name name;

	if (name_mount(a, tree, &name))
		idm_sys_umount(name.text, MNT_DETACH);
}

/*
 * A tree attached to a mount that is a peer of its source would appear on the source, too, and cover it.
 * The runtime's mount will be hidden, so it need not stay a peer of any mount.
 */
static int separate_mount(struct attachment *a, const struct placing *p)
{
	struct mount_attr alone = { .propagation = MS_PRIVATE };

	a->answer.doing = SEPARATING;
	return idm_sys_mount_setattr(p->place, "", AT_EMPTY_PATH, &alone);
}

/* An attached tree that is shared has to stay a peer of its source, so mounts below it are refused. */
static int check_not_shared(struct attachment *a)
{
	a->answer.doing = SHARING;
	return a->peers ? -EOPNOTSUPP : 0;
}

static int attach_mapped_tree(struct attachment *a, const struct placing *p)
{
	int r = is_hidden(a, p) ? check_not_shared(a) : separate_mount(a, p);

	if (r == 0)
		r = attach_tree(a, p, p->tree);
	if (r < 0)
		return r;
	a->peers |= p->step.copied_as == IDM_PROPAGATION_SHARED;
	if (!p->step.propagation)
		return 0;
	/* A tree attached below a shared mount has become shared, whatever it was before. */
	a->answer.doing = PROPAGATING;
	r = idm_plan_entry_propagate(&p->step, p->tree);
	if (r < 0)
		detach_tree(a, p->tree);
	return r;
}

static int look_at_mount(uint64_t id, struct idm_statmount *m)
{
	const struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0,
					    .mnt_id = id,
					    .param = IDM_STATMOUNT_MNT_BASIC };

	return idm_sys_statmount(&req, m, sizeof(*m));
}

static int look_at_place(int fd, struct idm_statmount *m)
{
	bool unique;
	uint64_t id;
	int r = idm_mount_id(fd, "", &id, &unique);

	return r < 0 ? r : unique ? look_at_mount(id, m) : -ENOSYS;
}

static bool is_shared_mount(int fd)
{
	struct idm_statmount m;

	return look_at_place(fd, &m) < 0 || m.mnt_propagation & MS_SHARED;
}

/* A mount beneath would also appear at the peers of the mount that the place is on. */
static bool is_on_shared_mount(int place)
{
	struct idm_statmount m, parent;

	return look_at_place(place, &m) < 0 || look_at_mount(m.mnt_parent_id, &parent) < 0 ||
	       parent.mnt_propagation & MS_SHARED;
}

static bool is_mapped_below(const struct placing *q, const struct placing *p)
{
	const char *rest = q->mapped ? get_path_below(q->path, p->path) : NULL;

	return rest && *rest;
}

/*
 * A mount that is mapped must not be in a copy: below the tree, the container could uncover it there. A
 * copy leaves out unbindable mounts. On a shared mount a tree would appear on the host, unless a private
 * mount is between the two. So there the copy keeps that one.
 */
static int leave_out_mapped(struct attachment *a, const struct placing *p)
{
	int r = 0;

	a->answer.doing = SEPARATING;
	for (const struct placing *q = p + 1; q < a->placings + a->n && r == 0; q++) {
		struct mount_attr attr = { .propagation = MS_UNBINDABLE };

		if (!is_mapped_below(q, p))
			continue;
		if (is_on_shared_mount(q->place))
			attr.propagation = MS_PRIVATE;
		r = idm_sys_mount_setattr(q->place, "", AT_EMPTY_PATH, &attr);
	}
	return r;
}

static void make_mapped_bindable(const struct attachment *a, const struct placing *p)
{
	struct mount_attr alone = { .propagation = MS_PRIVATE };

	for (const struct placing *q = p + 1; q < a->placings + a->n; q++)
		if (is_mapped_below(q, p))
			idm_sys_mount_setattr(q->place, "", AT_EMPTY_PATH, &alone);
}

static int copy_without_mapped(struct attachment *a, const struct placing *p)
{
	int r = leave_out_mapped(a, p);

	a->answer.doing = r < 0 ? SEPARATING : COPYING;
	if (r == 0)
		r = idm_sys_open_tree(p->place, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
	make_mapped_bindable(a, p);
	return r;
}

/*
 * Copies a mount of the runtime's that an attached tree hides now, and attaches the copy on that tree.
 * The mount is not moved: after a rollback the runtime's own mount is where it was.
 */
static int attach_copy(struct attachment *a, struct placing *p)
{
	int r;

	if (!is_hidden(a, p))
		return 0;
	r = check_not_shared(a);
	if (r < 0)
		return r;
	p->again = copy_without_mapped(a, p);
	return p->again < 0 ? p->again : attach_tree(a, p, p->again);
}

/*
 * Puts a tree between the runtime's mount and its parent, and unmounts the former. Beneath a covered
 * mount, kernels differ in the place that they choose. So the tree must not be on top at that moment. If
 * the kernel refuses, the tree covers the mount.
 */
static int exchange_mounts(const struct attachment *a, const struct placing *p, int tree)
{
	struct mount_name name;
	int r = idm_sys_move_mount_fd(tree, p->place, MOVE_MOUNT_BENEATH);

	if (r < 0)
		return idm_sys_move_mount_fd(tree, p->place, 0);
	return name_mount(a, p->place, &name) ? idm_sys_umount(name.text, MNT_DETACH) : -ENOENT;
}

/*
 * Moves the tree aside, with all mounts on it: to the root filesystem, or to the directory in which the
 * place is. Nothing there may propagate to the host.
 */
static bool park_tree(const struct attachment *a, const struct placing *p)
{
	AUTO_CLOSE int above = -1;

	if (!is_shared_mount(a->container->root))
		return idm_sys_move_mount_fd(p->tree, a->container->root, 0) == 0;
	above = idm_sys_openat(p->place, "..", O_PATH | O_DIRECTORY, 0);
	return above >= 0 && !is_shared_mount(above) && idm_sys_move_mount_fd(p->tree, above, 0) == 0;
}

/*
 * No directory can have a file put on it. So a copy of the file's mount is attached, which cannot have
 * other mounts on it. An unbindable one has no copies until it is private.
 */
static int exchange_file(const struct attachment *a, const struct placing *p)
{
	struct mount_attr alone = { .propagation = MS_PRIVATE };
	bool unbindable = p->step.propagation == IDM_PROPAGATION_UNBINDABLE;
	AUTO_CLOSE int copy = -1;
	int r;

	if (unbindable)
		idm_sys_mount_setattr(p->tree, "", AT_EMPTY_PATH, &alone);
	copy = idm_sys_open_tree(p->tree, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (copy < 0)
		return unbindable ? idm_plan_entry_propagate(&p->step, p->tree) : 0;
	detach_tree(a, p->tree);
	r = exchange_mounts(a, p, copy);
	return r == 0 && unbindable ? idm_plan_entry_propagate(&p->step, copy) : r;
}

/*
 * Removes the runtime's unmapped mount, which a container with CAP_SYS_ADMIN could uncover. It stays
 * below the tree before Linux 6.8, and on a shared mount.
 */
static int replace_runtime_mount(struct attachment *a, const struct placing *p)
{
	struct mount_name name;
	mode_t type;

	if (is_hidden(a, p) || is_on_shared_mount(p->place) || !name_mount(a, p->place, &name))
		return 0;
	a->answer.doing = REPLACING;
	if (idm_file_type(p->tree, &type) < 0 || !S_ISDIR(type))
		return exchange_file(a, p);
	return park_tree(a, p) ? exchange_mounts(a, p, p->tree) : 0;
}

static int replace_mounts(struct attachment *a)
{
	int r = 0;

	for (size_t i = 0; i < a->n && r == 0; i++) {
		a->answer.which = i;
		if (a->placings[i].tree >= 0)
			r = replace_runtime_mount(a, &a->placings[i]);
	}
	return r;
}

/*
 * The child shares the caller's descriptor table, and as a rule the memory in which these are noted.
 * They are forgotten first: what is closed twice could be another thread's by then.
 */
static void close_copies(const struct attachment *a)
{
	for (size_t i = 0; i < a->n; i++) {
		volatile int *again = &a->placings[i].again;
		int fd = *again;

		*again = -1;
		idm_close_fd(&fd);
	}
}

static int attach_all_trees(void *data)
{
	struct attachment *a = data;
	int r = idm_sys_setns(a->container->namespace, CLONE_NEWNS);
	size_t attached = 0;

	a->answer.which = a->n;
	for (size_t i = 0; i < a->n && r == 0; i++) {
		struct placing *p = &a->placings[i];

		a->answer.which = attached = i;
		r = p->tree >= 0 ? attach_mapped_tree(a, p) : attach_copy(a, p);
	}
	if (r == 0) {
		attached = a->n;
		r = replace_mounts(a);
	}
	while (r < 0 && attached-- > 0)
		if (a->placings[attached].tree >= 0)
			detach_tree(a, a->placings[attached].tree);
	close_copies(a);
	return r;
}

/* ---- reporting errors ---- */

static int diagnose_not_attached(int code, const struct attachment *a, struct idm_error *err)
{
	static const char *const doings[] = {
		[RESOLVING] = "find the destination again",
		[SEPARATING] = "separate the runtime's mount from its source",
		[SHARING] =
			"it is below a mount that is shared with the host, where it would appear too",
		[ATTACHING] = NULL,
		[COPYING] = "copy the mount that would be hidden",
		[PROPAGATING] = "set propagation",
		[REPLACING] = "remove the runtime's mount",
	};
	const struct placing *p;
	const char *doing;
	char name[IDM_PLAN_ENTRY_NAME];

	if (a->answer.which >= a->n)
		return idm_fail(err, code, step_attach, NULL, "join its mount namespace: %s",
				idm_errno_text(-code));
	p = &a->placings[a->answer.which];
	doing = doings[a->answer.doing];
	if (p->tree >= 0)
		idm_plan_entry_name(&p->step, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "/%s", p->destination);
	if (a->answer.doing == SHARING)
		return idm_fail(err, code, step_attach, name, "%s", doing);
	return idm_fail(err, code, step_attach, name, "%s%s%s", doing ? doing : "", doing ? ": " : "",
			idm_errno_text(-code));
}

static int attach_placings(const struct container *c, int proc, struct placing *placings, size_t n,
			   struct idm_error *err)
{
	struct attachment a = { .container = c, .proc = proc, .placings = placings, .n = n };
	int r;

	r = idm_subprocess_shared(attach_all_trees, &a, sizeof(a));
	close_copies(&a); /* of a child that was killed */
	if (r < 0)
		diagnose_not_attached(r, &a, err);
	return r;
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
	const char *rest = earlier->path && later->path ? get_path_below(earlier->path, later->path)
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

/* ---- all ---- */

static int prepare_placings(struct placing *placings, const struct preparation *all, size_t *n,
			    struct idm_error *err)
{
	int r = 0;

	for (*n = 0; *n < all->oci->n && r == 0; ++*n)
		r = prepare_placing(&placings[*n], all, *n, err);
	return r == 0 ? check_places(placings, *n, err) : r;
}

int idm_oci_attach(const struct idm_oci *oci, pid_t pid, const char *bundle, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);
	AUTO_FREE struct placing *placings = proc < 0 ? NULL : calloc(oci->n + 1, sizeof(*placings));
	struct container c;
	const struct preparation all = { .oci = oci, .container = &c, .proc = proc };
	size_t n = 0;
	int r;

	if (proc < 0)
		return proc;
	if (!placings)
		return idm_fail_errno(err, -ENOMEM, step_attach, NULL);
	r = open_container(&c, oci, pid, bundle, err);
	if (r == 0)
		r = prepare_placings(placings, &all, &n, err);
	if (r == 0)
		r = make_placed_trees(placings, n, err);
	if (r == 0)
		r = attach_placings(&c, proc, placings, n, err);
	for (size_t i = 0; i < n; i++) {
		idm_close_fd(&placings[i].tree);
		idm_close_fd(&placings[i].place);
		free(placings[i].path);
	}
	close_container(&c);
	return r;
}
