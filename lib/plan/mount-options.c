// SPDX-License-Identifier: MIT
/*
 * The mount options of containerd's mount lists and of the OCI runtime specification. There is one
 * table. An option that is not in it is an option of the filesystem, or an error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"
#include "lib/base/lowerdir.h"
#include "lib/base/mapped-hint.h"
#include "lib/sys/fail-errno.h"
#include "plan.h"

static const enum idm_error_step step_plan = IDM_STEP_PLAN_MOUNT;

/* ---- filesystems ---- */

static const struct idm_filesystem filesystems[] = {
	{ "tmpfs", "tmpfs", false, false },
	{ "proc", "proc", false, false },
	{ "sysfs", "sysfs", false, false },
	{ "devpts", "devpts", false, false },
	{ "mqueue", "mqueue", false, false },
	{ "cgroup2", "cgroup2", false, false },
	{ "cgroup", "cgroup2", false, false } /* OCI configurations use this name for both versions */,
	/* The types that a kernel maps. By the name ext4, the same driver maps these. */
	{ "ext2", "ext4", true, false },
	{ "ext3", "ext4", true, false },
	{ "ext4", "ext4", true, false },
	{ "xfs", "xfs", true, false },
	{ "btrfs", "btrfs", true, false },
	{ "f2fs", "f2fs", true, false },
	{ "vfat", "vfat", true, false },
	{ "ntfs3", "ntfs3", true, false },
	{ "ntfs", "ntfs3", true, false } /* the name that blkid(8) has for it */,
	{ "erofs", "erofs", true, true },
	{ "squashfs", "squashfs", true, true },
};

const struct idm_filesystem *idm_filesystem_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		if (strcmp(filesystems[i].name, name) == 0)
			return &filesystems[i];
	return NULL;
}

/* ---- mount options ---- */

enum option_action {
	BIND,
	LOOP,
	REFUSED,
};

/* The mount options that are neither attributes, which base/mount-attr.c has, nor about maps. */
static const struct known_option {
	const char *name;
	enum option_action action;
	unsigned int value;
} table[] = {
	{ "bind", BIND, false },   { "rbind", BIND, true },	{ "loop", LOOP, 0 },
	{ "remount", REFUSED, 0 }, { "tmpcopyup", REFUSED, 0 },
};

static const struct known_option *find_mount_option(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strlen(table[i].name) == n && memcmp(table[i].name, name, n) == 0)
			return &table[i];
	return NULL;
}

bool idm_is_bind_option(const char *option)
{
	return option && (strcmp(option, "bind") == 0 || strcmp(option, "rbind") == 0);
}

static int fail_option(int code, const struct idm_plan_entry *entry, const char *option,
		       const char *reason, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	return idm_fail(err, code, step_plan, idm_plan_entry_name(entry, name, sizeof(name)), "%s: %s",
			option, reason);
}

/* `n` bytes of the option are its name. */
static int fail_value(const struct idm_plan_entry *entry, const char *option, size_t n,
		      struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	return idm_fail(err, -EINVAL, step_plan, idm_plan_entry_name(entry, name, sizeof(name)),
			"%.*s: expected no value, got \"%s\"", (int)n, option, option + n + 1);
}

static void apply_attr_option(struct idm_plan_entry *entry, const struct idm_attr_option *option,
			      bool deep)
{
	struct idm_attributes *a = deep ? &entry->deep : &entry->top;

	idm_apply_attr_option(option, &a->set, &a->clear);
	if (!option->propagation)
		return;
	entry->propagation = option->propagation;
	entry->deep_propagation = deep;
}

static int apply_known_option(struct idm_plan_entry *entry, const struct known_option *known,
			      struct idm_error *err)
{
	switch (known->action) {
	case BIND:
		entry->recursive = known->value;
		break;
	case LOOP:
		if (entry->kind != IDM_PLAN_ENTRY_FILESYSTEM || !entry->filesystem->on_device)
			return fail_option(-EINVAL, entry, known->name,
					   "requires a filesystem on a device", err);
		entry->loop = true;
		break;
	case REFUSED:
		return fail_option(-EINVAL, entry, known->name, "not supported by idmount", err);
	}
	return 0;
}

/* ---- mount options with a value ---- */

static bool has_prefix(const char *option, const char *with)
{
	return strncmp(option, with, strlen(with)) == 0;
}

static const struct idm_map_option map_options[] = {
	{ "uidmap", IDM_UID, IDM_MAP_SAME },
	{ "gidmap", IDM_GID, IDM_MAP_SAME },
	{ "idmap", IDM_BOTH, IDM_MAP_TOP },
	{ "ridmap", IDM_BOTH, IDM_MAP_DEEP },
};

const struct idm_map_option *idm_find_map_option(const char *option, const char **value)
{
	size_t n = strcspn(option, "=");
	const char *text = option[n] ? option + n + 1 : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(map_options); i++) {
		const struct idm_map_option *o = &map_options[i];

		if (strlen(o->name) != n || strncmp(o->name, option, n) != 0 ||
		    (!text && o->scope == IDM_MAP_SAME))
			continue;
		if (value)
			*value = text;
		return o;
	}
	return NULL;
}

const char *idm_map_scope_option(enum idm_map_scope scope)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_options); i++)
		if (map_options[i].scope == scope)
			return map_options[i].name;
	return NULL;
}

/* Two halves of a map from two places would be a map that no user has written. */
static bool has_map_of(const struct idm_map *map, unsigned int kinds)
{
	const struct idm_entry *entries;

	return map && ((kinds & IDM_UID && idm_map_entries(map, IDM_UID, &entries)) ||
		       (kinds & IDM_GID && idm_map_entries(map, IDM_GID, &entries)));
}

/* `text` is the map, or NULL: only the scope. */
static int apply_map_option(struct idm_plan_entry *entry, const struct idm_map_option *map,
			    const char *option, const char *text, struct idm_error *err)
{
	if (text && !*text)
		return fail_option(-EINVAL, entry, option, "the map is empty", err);
	if (text && has_map_of(entry->map, map->kinds))
		return fail_option(-EINVAL, entry, option, "duplicate map", err);
	if (map->scope != IDM_MAP_SAME)
		entry->map_scope = map->scope;
	if (!text)
		return 0;
	if (!entry->map && idm_map_new(&entry->map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
	/* Without the r, "ridmap=" is a text that idm_map_parse() accepts, as it does the others. */
	return idm_map_parse(entry->map, *option == 'r' ? option + 1 : option, 0, err);
}

static int append_path(struct idm_path **list, size_t *n, int dirfd, const char *path)
{
	struct idm_path *new = idm_array_append(list, n, sizeof(*new));

	if (!new)
		return -ENOMEM;
	*new = (struct idm_path){ dirfd, path };
	return 0;
}

static int add_layer_path(char *path, bool data_only, void *data)
{
	struct idm_plan_entry *entry = data;

	return data_only ? append_path(&entry->data, &entry->n_data, entry->dirfd, path)
			 : append_path(&entry->lower, &entry->n_lower, entry->dirfd, path);
}

static int set_directory(struct idm_plan_entry *entry, const char **directory, const char *option,
			 const char *value, struct idm_error *err)
{
	if (*directory)
		return fail_option(-EINVAL, entry, option, "duplicate option", err);
	if (!*value)
		return fail_option(-EINVAL, entry, option, "expected a directory, got nothing", err);
	*directory = value;
	return 0;
}

/* Sets one of overlay's directories. Returns 1 if the option names no such directory. */
static int parse_overlay_option(struct idm_plan_entry *entry, char *option, char *value,
				struct idm_error *err)
{
	int r;

	if (strcmp(option, "upperdir") == 0)
		return set_directory(entry, &entry->upper, option, value, err);
	if (strcmp(option, "workdir") == 0)
		return set_directory(entry, &entry->work, option, value, err);
	if (strcmp(option, "lowerdir") == 0) {
		if (entry->n_lower)
			return fail_option(-EINVAL, entry, option, "duplicate option", err);
		r = idm_split_lowerdir(value, add_layer_path, entry);
	} else if (strcmp(option, "lowerdir+") == 0 || strcmp(option, "datadir+") == 0) {
		if (!*value)
			return fail_option(-EINVAL, entry, option, "expected a directory, got nothing",
					   err);
		r = add_layer_path(value, *option == 'd', entry);
	} else {
		return 1;
	}
	if (r == -EINVAL)
		return fail_option(r, entry, option, "expected a directory, got nothing", err);
	return r < 0 ? idm_fail_errno(err, r, step_plan, NULL) : 0;
}

static int apply_mount_option(struct idm_plan_entry *entry, char *option, struct idm_error *err)
{
	char *value = strchr(option, '=');
	struct idm_mount_option *new;
	int r;

	if (value)
		*value++ = '\0';
	if (value && entry->kind == IDM_PLAN_ENTRY_OVERLAY) {
		r = parse_overlay_option(entry, option, value, err);
		if (r <= 0)
			return r;
	}
	new = idm_array_append(&entry->options, &entry->n_options, sizeof(*new));
	if (!new)
		return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
	*new = (struct idm_mount_option){ option, value };
	return 0;
}

/* Options of the command for a source that is ID-mapped already. */
static bool is_remap_option(const char *option)
{
	return strcmp(option, "remap") == 0 || strcmp(option, "on-top") == 0;
}

static int fail_remap_option(const struct idm_plan_entry *entry, const char *option,
			     struct idm_error *err)
{
	fail_option(-EINVAL, entry, option, "a plan cannot change a map that the source has already",
		    err);
	idm_hint(err, IDM_HINT_UNMAPPED);
	return -EINVAL;
}

int idm_plan_entry_parse_option(struct idm_plan_entry *entry, char *option, struct idm_error *err)
{
	size_t n = strcspn(option, "=");
	bool deep;
	const struct known_option *known = find_mount_option(option, n);
	const struct idm_attr_option *attr = idm_find_attr_option(option, n, &deep);
	const struct idm_map_option *map;
	const char *text;

	if (option[n] && (attr || (known && known->action != REFUSED)))
		return fail_value(entry, option, n, err);
	if (known)
		return apply_known_option(entry, known, err);
	if (attr) {
		apply_attr_option(entry, attr, deep);
		return 0;
	}
	map = idm_find_map_option(option, &text);
	if (map)
		return apply_map_option(entry, map, option, text, err);
	/* Programs leave each other such notes. The kernel does not know them. */
	if (has_prefix(option, "X-") || has_prefix(option, "x-"))
		return fail_option(-EINVAL, entry, option,
				   "an option for another program, unknown to idmount", err);
	if (entry->kind == IDM_PLAN_ENTRY_BIND && is_remap_option(option))
		return fail_remap_option(entry, option, err);
	if (entry->kind == IDM_PLAN_ENTRY_BIND)
		return fail_option(-EINVAL, entry, option, "unknown option of a bind", err);
	return apply_mount_option(entry, option, err);
}
