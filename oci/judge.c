// SPDX-License-Identifier: MIT
/* The sources of a container's mapped mounts, and whether annotations may ask for their maps. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "engine.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mapped-hint.h"
#include "lib/idmap/own-mappings.h"
#include "lib/list/mount-query.h"
#include "lib/plan/plan.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"
#include "mount-error.h"
#include "policy.h"
#include "oci.h"

static const enum idm_error_step step_source = IDM_STEP_OPEN_SOURCE;
static const enum idm_error_step step_judge = IDM_STEP_JUDGE_ANNOTATION;

/* ---- sources ---- */

static int fail_mapped(const char *path, struct idm_error *err)
{
	idm_fail(err, -EINVAL, step_source, path, "its mount is ID-mapped already");
	idm_hint(err, IDM_HINT_UNMAPPED);
	return -EINVAL;
}

struct finding {
	struct idm_error *err;
};

static bool is_mapped(int fd, const char *path, void *data)
{
	const struct finding *f = data;
	struct idm_mount_props look = { 0 };

	idm_query_mount(fd, &look);
	if (!look.visible || !look.mapped)
		return false;
	fail_mapped(path, f->err);
	return true;
}

static int check_unmapped(int fd, const struct idm_plan_entry *step, struct idm_error *err)
{
	struct finding f = { err };

	if (is_mapped(fd, step->source, &f))
		return -EINVAL;
	if (!step->recursive || step->map_scope == IDM_MAP_TOP)
		return 0;
	return idm_query_mounts_below(fd, is_mapped, &f) ? -EINVAL : 0;
}

static int open_mount_source(struct idm_oci_mount *mount, const struct idm_plan_entry *step,
			     struct idm_error *err)
{
	mount->source = idm_sys_openat(step->dirfd, step->source, O_PATH, 0);
	if (mount->source < 0)
		return idm_fail_errno(err, mount->source, step_source, step->source);
	return check_unmapped(mount->source, step, err);
}

int idm_oci_open_sources(struct idm_oci *oci, struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < oci->n; i++) {
		const struct idm_plan_entry *step = &oci->plan->entries[oci->mounts[i].step];

		if (oci->mounts[i].step && step->kind == IDM_PLAN_ENTRY_BIND)
			r = name_mount_of_error(open_mount_source(&oci->mounts[i], step, err), step,
						oci->mounts[i].annotation, err);
	}
	return r;
}

/* ---- where a source is ---- */

static bool is_same_place(int fd, const char *path)
{
	AUTO_CLOSE int again = idm_sys_openat2(AT_FDCWD, path, O_PATH, 0,
					       RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	uint64_t mount, other;
	bool unique;

	return again >= 0 && idm_is_same_inode(fd, again) &&
	       idm_mount_id(fd, "", &mount, &unique) == 0 &&
	       idm_mount_id(again, "", &other, &unique) == 0 && mount == other;
}

/* The kernel's own path has no links, and does not depend on names in the configuration. */
static int find_source_path(int fd, const char *name, char *path, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);
	ssize_t n;

	if (proc < 0)
		return proc;
	n = idm_procfs_fd_path(proc, fd, path, PATH_MAX);
	if (n < 0)
		return idm_fail(err, (int)n, step_judge, name, "find its path: %s",
				idm_errno_text((int)-n));
	if (is_same_place(fd, path))
		return 0;
	return idm_fail(err, -ESTALE, step_judge, name,
			"its path is unknown: it is removed, or covered by another mount");
}

static int find_source(const struct idm_oci_mount *mount, const struct idm_plan_entry *step, char *path,
		       struct idm_error *err)
{
	AUTO_CLOSE int opened = -1;
	int fd = mount->source;

	*path = '\0';
	if (step->kind == IDM_PLAN_ENTRY_FILESYSTEM && step->filesystem->on_device) {
		opened = idm_sys_openat(step->dirfd, step->source, O_PATH, 0);
		if (opened < 0)
			return idm_fail_errno(err, opened, step_source, step->source);
		fd = opened;
	}
	return fd < 0 ? 0 : find_source_path(fd, step->source, path, err);
}

/* ---- judging ---- */

static int judge_mount(const struct idm_oci *oci, const struct idm_oci_mount *mount,
		       const struct idm_policy *policy, struct idm_error *err)
{
	const struct idm_plan_entry *step = &oci->plan->entries[mount->step];
	char path[PATH_MAX];
	struct idm_policy_request q = {
		.annotation = mount->annotation,
		.map = step->map,
		.pod = oci->pod,
		.namespace = oci->namespace,
		.handler = oci->handler,
	};
	int r;

	/* Its layers are several sources, which no rule names. */
	if (step->kind == IDM_PLAN_ENTRY_OVERLAY)
		return idm_fail(err, -EPERM, step_judge, mount->annotation,
				"an annotation cannot map an overlay");
	r = find_source(mount, step, path, err);
	if (r < 0)
		return r;
	q.source = *path ? path : NULL;
	return idm_policy_judge(policy, &q, err);
}

int idm_oci_judge(const struct idm_oci *oci, const struct idm_policy *policy, struct idm_error *err)
{
	const struct idm_policy_request any = { .annotation = oci->annotation, .pod = oci->pod };
	int r = oci->annotation ? idm_policy_judge(policy, &any, err) : 0;

	for (size_t i = 0; r == 0 && i < oci->n; i++)
		if (oci->mounts[i].annotation)
			r = judge_mount(oci, &oci->mounts[i], policy, err);
	return r;
}

/* ---- the container's own IDs ---- */

/* The first of these IDs that the seen column lacks; `end` if it has all. */
static uint64_t find_unseen(const struct idm_map *map, unsigned int kind, uint64_t id, uint64_t end)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries), i = 0;

	while (id < end && i < n) {
		const struct idm_entry *e = &entries[i++];

		if (id < e->seen || id >= (uint64_t)e->seen + e->count)
			continue;
		id = (uint64_t)e->seen + e->count;
		i = 0;
	}
	return id < end ? id : end;
}

/* As the host counts. */
static uint32_t find_disk_id(const struct idm_oci_mount *mount, unsigned int kind, uint32_t id)
{
	uint32_t host;

	return mount->own_map && idm_find_outer_id(kind, id, &host) == 0 ? host : id;
}

/* The quotes are for a shell, for which a semicolon ends the command. */
static int refuse_id(const struct idm_oci_mount *mount, unsigned int kind, uint64_t id,
		     struct idm_error *err)
{
	idm_fail(err, -EPERM, step_judge, mount->annotation, "disk %s %u is not an ID of the container",
		 kind == IDM_UID ? "uid" : "gid", find_disk_id(mount, kind, (uint32_t)id));
	idm_hint(err, "an option of the volume can map it: "
		      "-v 'SOURCE:TARGET:idmap=uids=@DISK-SEEN-1;gids=@DISK-SEEN-1'");
	return -EPERM;
}

static int check_own_side(const struct idm_oci_mount *mount, const struct idm_map *requested,
			  const struct idm_map *own, unsigned int kind, struct idm_error *err)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(requested, kind, &entries);

	for (size_t i = 0; i < n; i++) {
		uint64_t end = (uint64_t)entries[i].disk + entries[i].count,
			 id = find_unseen(own, kind, entries[i].disk, end);

		if (id < end)
			return refuse_id(mount, kind, id, err);
	}
	return 0;
}

/* The container's IDs. A disk ID counts on the host, and in the engine's user namespace with `idmap`. */
struct own_ids {
	const struct idm_map *in_engine;
	struct idm_map *on_host;
};

static int check_own_ids(const struct idm_oci_mount *mount, const struct idm_plan_entry *step,
			 const struct own_ids *ids, struct idm_error *err)
{
	const struct idm_map *own = mount->own_map ? ids->in_engine : ids->on_host;
	int r;

	/* It is made for the container, and has no files yet. */
	if (step->kind == IDM_PLAN_ENTRY_FILESYSTEM && !step->filesystem->on_device)
		return 0;
	r = check_own_side(mount, step->map, own, IDM_UID, err);
	return r < 0 ? r : check_own_side(mount, step->map, own, IDM_GID, err);
}

int idm_oci_judge_ids(const struct idm_oci *oci, const struct idm_map *container, struct idm_error *err)
{
	struct own_ids ids = { .in_engine = container };
	int r;

	if (!container || !oci->annotation || oci->pod || !is_rootless_engine())
		return 0;
	r = count_seen_ids_on_host(container, &ids.on_host, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < oci->n; i++)
		if (oci->mounts[i].annotation)
			r = check_own_ids(&oci->mounts[i], &oci->plan->entries[oci->mounts[i].step],
					  &ids, err);
	idm_map_free(ids.on_host);
	return r;
}
