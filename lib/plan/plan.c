// SPDX-License-Identifier: MIT
/* A plan: the mounts to make, in order. They are parsed, and checked without a look at the files. */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arguments.h"
#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_plan = IDM_STEP_PLAN_MOUNT;

/* ---- one entry ---- */

static int check_option_names(const struct idm_plan_add_options *m, struct idm_error *err)
{
	int r = idm_check_array(m->options, m->n_options, "options", "options", step_plan, err);

	for (size_t i = 0; i < m->n_options && r == 0; i++)
		if (!m->options[i])
			r = idm_fail(err, -EINVAL, step_plan, m->target,
				     "options[%zu]: expected an option, got NULL", i);
	return r;
}

static int copy_target(struct idm_plan_entry *entry, const char *target, struct idm_error *err)
{
	size_t n;

	if (target && idm_goes_up(target))
		return idm_fail(err, -EINVAL, step_plan, target, "expected a target without \"..\"");
	target = idm_trim_target(target, &n);
	entry->target = strndup(target, n);
	return entry->target ? 0 : idm_fail_errno(err, -ENOMEM, step_plan, NULL);
}

static int copy_type(struct idm_plan_entry *entry, const struct idm_plan_add_options *m,
		     struct idm_error *err)
{
	entry->kind = IDM_PLAN_ENTRY_BIND;
	for (size_t i = 0; i < m->n_options; i++)
		if (idm_is_bind_option(m->options[i]))
			return 0;
	if (!m->type || !*m->type) {
		idm_fail(err, -EINVAL, step_plan, m->target, "the type is missing");
		idm_hint(err, "a bind requires the type \"bind\", or the option \"bind\" or \"rbind\"");
		return -EINVAL;
	}
	if (strcmp(m->type, "bind") == 0)
		return 0;
	entry->kind = IDM_PLAN_ENTRY_OVERLAY;
	if (strcmp(m->type, "overlay") == 0)
		return 0;
	entry->kind = IDM_PLAN_ENTRY_FILESYSTEM;
	entry->filesystem = idm_filesystem_by_name(m->type);
	if (entry->filesystem)
		return 0;
	idm_fail(err, -EINVAL, step_plan, m->type, "unknown type of mount");
	idm_hint(err, "the types are bind, overlay, tmpfs, proc, sysfs, devpts, mqueue, cgroup2, ext4, "
		      "xfs, btrfs, f2fs, vfat, ntfs3, erofs and squashfs");
	return -EINVAL;
}

static int copy_source(struct idm_plan_entry *entry, const struct idm_plan_add_options *m,
		       struct idm_error *err)
{
	bool wanted = entry->kind == IDM_PLAN_ENTRY_BIND ||
		      (entry->kind == IDM_PLAN_ENTRY_FILESYSTEM && entry->filesystem->on_device);
	char name[IDM_PLAN_ENTRY_NAME];

	idm_plan_entry_name(entry, name, sizeof(name));
	if (wanted && !(m->source && *m->source))
		return idm_fail(err, -EINVAL, step_plan, name, "the type %s requires a source",
				entry->kind == IDM_PLAN_ENTRY_BIND ? "bind" : entry->filesystem->name);
	if (m->dirfd != AT_FDCWD) {
		entry->dirfd = idm_sys_dup(m->dirfd);
		if (entry->dirfd < 0)
			return idm_fail_at(err, entry->dirfd, step_plan, name, m->dirfd);
	}
	if (!m->source || !*m->source)
		return 0;
	entry->source = strdup(m->source);
	return entry->source ? 0 : idm_fail_errno(err, -ENOMEM, step_plan, NULL);
}

static int parse_mount_options(struct idm_plan_entry *entry, const struct idm_plan_add_options *m,
			       struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	entry->option_texts = calloc(m->n_options ? m->n_options : 1, sizeof(*entry->option_texts));
	if (!entry->option_texts)
		return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
	for (size_t i = 0; i < m->n_options; i++) {
		int r;

		if (!*m->options[i])
			return idm_fail(err, -EINVAL, step_plan,
					idm_plan_entry_name(entry, name, sizeof(name)),
					"an option is empty");
		entry->option_texts[i] = strdup(m->options[i]);
		/* analyzer: idm_plan_entry_free() frees it */
		if (!entry->option_texts[i])
			return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
		entry->n_option_texts++;
		r = idm_plan_entry_parse_option(entry, entry->option_texts[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The map comes from the mount options, or beside them. */
static int set_map(struct idm_plan_entry *entry, const struct idm_map *map, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	if (map && entry->map)
		return idm_fail(err, -EINVAL, step_plan, idm_plan_entry_name(entry, name, sizeof(name)),
				"duplicate map: one among the options, one beside them");
	if (map && idm_map_copy(map, &entry->map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
	if (entry->map) {
		const struct idm_entry *entries;
		bool uids = idm_map_entries(entry->map, IDM_UID, &entries),
		     gids = idm_map_entries(entry->map, IDM_GID, &entries);

		if (uids == gids)
			return idm_map_check(entry->map, err);
		idm_fail(err, -EINVAL, step_plan, idm_plan_entry_name(entry, name, sizeof(name)),
			 "expected a map of user and group IDs, got only %s IDs",
			 uids ? "user" : "group");
		idm_hint(err, "uidmap= requires gidmap=, and uidMappings require gidMappings");
		return -EINVAL;
	}
	if (entry->map_scope == IDM_MAP_SAME)
		return 0;
	idm_fail(err, -EINVAL, step_plan, idm_plan_entry_name(entry, name, sizeof(name)),
		 "%s requires a map", entry->map_scope == IDM_MAP_TOP ? "idmap" : "ridmap");
	idm_hint(err, "uidmap= and gidmap= (uidMappings and gidMappings) specify the map");
	return -EINVAL;
}

static int check_layers(const struct idm_plan_entry *entry, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	if (entry->kind != IDM_PLAN_ENTRY_OVERLAY)
		return 0;
	idm_plan_entry_name(entry, name, sizeof(name));
	if (!entry->n_lower)
		return idm_fail(err, -EINVAL, step_plan, name, "lowerdir= is missing");
	if (!entry->upper != !entry->work)
		return idm_fail(err, -EINVAL, step_plan, name, "%s is missing",
				entry->upper ? "workdir=" : "upperdir=");
	return 0;
}

static bool begins_at_directory(const char *path)
{
	return path && *path != '/';
}

static bool any_begins_at_directory(const struct idm_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (begins_at_directory(paths[i].path))
			return true;
	return false;
}

/* An entry needs no descriptor of the directory where all its paths are absolute. */
static void drop_directory(struct idm_plan_entry *entry)
{
	bool names_file = entry->kind == IDM_PLAN_ENTRY_BIND ||
			  (entry->kind == IDM_PLAN_ENTRY_FILESYSTEM && entry->filesystem->on_device);

	if (entry->dirfd == AT_FDCWD || (names_file && begins_at_directory(entry->source)) ||
	    begins_at_directory(entry->upper) || begins_at_directory(entry->work) ||
	    any_begins_at_directory(entry->lower, entry->n_lower) ||
	    any_begins_at_directory(entry->data, entry->n_data))
		return;
	idm_close_fd(&entry->dirfd);
	entry->dirfd = AT_FDCWD;
	for (size_t i = 0; i < entry->n_lower; i++)
		entry->lower[i].dirfd = AT_FDCWD;
	for (size_t i = 0; i < entry->n_data; i++)
		entry->data[i].dirfd = AT_FDCWD;
}

static int fill_entry(struct idm_plan_entry *entry, const struct idm_plan_add_options *m,
		      struct idm_error *err)
{
	const unsigned int flags = IDM_PLAN_ADD_MKDIR | IDM_PLAN_ADD_RDONLY_LAST;
	int r = idm_check_flags(m->flags, flags, step_plan, m->target, err);

	if (r < 0)
		return r;
	entry->flags = m->flags;
	entry->dirfd = AT_FDCWD;
	r = copy_target(entry, m->target, err);
	if (r == 0)
		r = copy_type(entry, m, err);
	if (r == 0)
		r = copy_source(entry, m, err);
	if (r == 0)
		r = parse_mount_options(entry, m, err);
	if (r == 0)
		r = set_map(entry, m->map, err);
	if (r == 0)
		r = check_layers(entry, err);
	if (r == 0)
		drop_directory(entry);
	return r;
}

/* ---- the plan ---- */

int idm_plan_new(struct idm_plan **plan)
{
	HOLD_CANCEL;

	*plan = calloc(1, sizeof(**plan));
	return *plan ? 0 : -ENOMEM;
}

void idm_plan_free(struct idm_plan *plan)
{
	HOLD_CANCEL;

	if (!plan)
		return;
	idm_plan_truncate(plan, 0);
	free(plan->entries);
	free(plan);
}

void idm_plan_truncate(struct idm_plan *plan, size_t n)
{
	while (plan->n > n)
		idm_plan_entry_free(&plan->entries[--plan->n]);
}

/* The kernel makes only the root of a detached tree read-only. So that flag is for the root alone. */
static int check_first_entry(const struct idm_plan_entry *entry, bool first, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	idm_plan_entry_name(entry, name, sizeof(name));
	if (first && *entry->target) {
		idm_fail(err, -EINVAL, step_plan, name, "expected the root as first mount");
		idm_hint(err, "the target of the root is \"/\", or empty");
		return -EINVAL;
	}
	if (!first && !*entry->target) {
		idm_fail(err, -EINVAL, step_plan, name, "duplicate root");
		idm_hint(err, "only the first mount can have the target \"/\", or an empty one");
		return -EINVAL;
	}
	if (!first && entry->flags & IDM_PLAN_ADD_RDONLY_LAST)
		return idm_fail(err, -EINVAL, step_plan, name,
				"only the root can become read-only last");
	return 0;
}

int idm_plan_add(struct idm_plan *plan, const struct idm_plan_add_options *mount, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_plan_entry entry = { .dirfd = AT_FDCWD }, *new;
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	int r = IDM_COPY_STRUCT(&m, map, mount, step_plan, err);

	if (r == 0)
		r = check_option_names(&m, err);
	if (r < 0)
		return r;
	r = fill_entry(&entry, &m, err);
	if (r == 0)
		r = check_first_entry(&entry, plan->n == 0, err);
	new = r < 0 ? NULL : idm_array_append(&plan->entries, &plan->n, sizeof(entry));
	if (new) {
		*new = entry;
		return 0;
	}
	idm_plan_entry_free(&entry);
	return r < 0 ? r : idm_fail_errno(err, -ENOMEM, step_plan, NULL);
}
