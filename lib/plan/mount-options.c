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
	{ "tmpfs", "tmpfs", false },
	{ "proc", "proc", false },
	{ "sysfs", "sysfs", false },
	{ "devpts", "devpts", false },
	{ "mqueue", "mqueue", false },
	{ "cgroup2", "cgroup2", false },
	{ "cgroup", "cgroup2", false } /* OCI configurations use this name for both versions */,
	{ "ext4", "ext4", true },
	{ "xfs", "xfs", true },
	{ "erofs", "erofs", true },
};

const struct idm_filesystem *idm_filesystem_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		if (strcmp(filesystems[i].name, name) == 0)
			return &filesystems[i];
	return NULL;
}

/* ---- mount options ---- */

enum what {
	BIND,
	LOOP,
	REFUSED,
};

/* The mount options that are neither attributes, which base/mount-attr.c has, nor about maps. */
static const struct word {
	const char *word;
	enum what what;
	unsigned int value;
} table[] = {
	{ "bind", BIND, false },   { "rbind", BIND, true },	{ "loop", LOOP, 0 },
	{ "remount", REFUSED, 0 }, { "tmpcopyup", REFUSED, 0 },
};

static const struct word *find_mount_option(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].word, word) == 0)
			return &table[i];
	return NULL;
}

bool idm_is_bind_option(const char *word)
{
	return word && (strcmp(word, "bind") == 0 || strcmp(word, "rbind") == 0);
}

static int fail_word(int code, const struct idm_plan_entry *step, const char *word, const char *reason,
		     struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	return idm_fail(err, code, step_plan, idm_plan_entry_name(step, name, sizeof(name)), "%s: %s",
			word, reason);
}

static void apply_attr_option(struct idm_plan_entry *step, const struct idm_attr_option *option,
			      bool deep)
{
	struct idm_attributes *a = deep ? &step->deep : &step->top;

	idm_apply_attr_option(option, &a->set, &a->clear);
	if (!option->propagation)
		return;
	step->propagation = option->propagation;
	step->deep_propagation = deep;
}

static int apply_known_option(struct idm_plan_entry *step, const struct word *w, struct idm_error *err)
{
	switch (w->what) {
	case BIND:
		step->recursive = w->value;
		break;
	case LOOP:
		if (step->kind != IDM_PLAN_ENTRY_FILESYSTEM || !step->filesystem->on_device)
			return fail_word(-EINVAL, step, w->word, "requires a filesystem on a device",
					 err);
		step->loop = true;
		break;
	case REFUSED:
		return fail_word(-EINVAL, step, w->word, "not supported by idmount", err);
	}
	return 0;
}

/* ---- mount options with a value ---- */

static bool has_prefix(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
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
static bool is_given(const struct idm_map *map, unsigned int kinds)
{
	const struct idm_entry *entries;

	return map && ((kinds & IDM_UID && idm_map_entries(map, IDM_UID, &entries)) ||
		       (kinds & IDM_GID && idm_map_entries(map, IDM_GID, &entries)));
}

/* `text` is the map, or NULL: only the scope. */
static int apply_map_option(struct idm_plan_entry *step, const struct idm_map_option *option,
			    const char *word, const char *text, struct idm_error *err)
{
	if (text && !*text)
		return fail_word(-EINVAL, step, word, "the map is empty", err);
	if (text && is_given(step->map, option->kinds))
		return fail_word(-EINVAL, step, word, "duplicate map", err);
	if (option->scope != IDM_MAP_SAME)
		step->map_scope = option->scope;
	if (!text)
		return 0;
	if (!step->map && idm_map_new(&step->map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
	/* Without the r, "ridmap=" is a text that idm_map_parse() accepts, as it does the others. */
	return idm_map_parse(step->map, *word == 'r' ? word + 1 : word, 0, err);
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
	struct idm_plan_entry *step = data;

	return data_only ? append_path(&step->data, &step->n_data, step->dirfd, path)
			 : append_path(&step->lower, &step->n_lower, step->dirfd, path);
}

static int set_directory(struct idm_plan_entry *step, const char **directory, const char *word,
			 const char *value, struct idm_error *err)
{
	if (*directory)
		return fail_word(-EINVAL, step, word, "duplicate option", err);
	if (!*value)
		return fail_word(-EINVAL, step, word, "expected a directory, got nothing", err);
	*directory = value;
	return 0;
}

/* Sets one of overlay's directories. Returns 1 if the option names no such directory. */
static int parse_overlay_option(struct idm_plan_entry *step, char *word, char *value,
				struct idm_error *err)
{
	int r;

	if (strcmp(word, "upperdir") == 0)
		return set_directory(step, &step->upper, word, value, err);
	if (strcmp(word, "workdir") == 0)
		return set_directory(step, &step->work, word, value, err);
	if (strcmp(word, "lowerdir") == 0) {
		if (step->n_lower)
			return fail_word(-EINVAL, step, word, "duplicate option", err);
		r = idm_split_lowerdir(value, add_layer_path, step);
	} else if (strcmp(word, "lowerdir+") == 0 || strcmp(word, "datadir+") == 0) {
		if (!*value)
			return fail_word(-EINVAL, step, word, "expected a directory, got nothing", err);
		r = add_layer_path(value, *word == 'd', step);
	} else {
		return 1;
	}
	if (r == -EINVAL)
		return fail_word(r, step, word, "expected a directory, got nothing", err);
	return r < 0 ? idm_fail_errno(err, r, step_plan, NULL) : 0;
}

static int apply_mount_option(struct idm_plan_entry *step, char *word, struct idm_error *err)
{
	char *value = strchr(word, '=');
	struct idm_mount_option *new;
	int r;

	if (value)
		*value++ = '\0';
	if (value && step->kind == IDM_PLAN_ENTRY_OVERLAY) {
		r = parse_overlay_option(step, word, value, err);
		if (r <= 0)
			return r;
	}
	new = idm_array_append(&step->options, &step->n_options, sizeof(*new));
	if (!new)
		return idm_fail_errno(err, -ENOMEM, step_plan, NULL);
	*new = (struct idm_mount_option){ word, value };
	return 0;
}

/* Options of the command for a source that is ID-mapped already. */
static bool is_about_old_map(const char *word)
{
	return strcmp(word, "remap") == 0 || strcmp(word, "on-top") == 0;
}

static int fail_about_old_map(const struct idm_plan_entry *step, const char *word, struct idm_error *err)
{
	fail_word(-EINVAL, step, word, "a plan cannot change a map that the source has already", err);
	idm_hint(err, IDM_HINT_UNMAPPED);
	return -EINVAL;
}

int idm_plan_entry_take_option(struct idm_plan_entry *step, char *word, struct idm_error *err)
{
	const struct word *w = find_mount_option(word);
	const struct idm_attr_option *option;
	const struct idm_map_option *map;
	const char *text;
	bool deep;

	if (w)
		return apply_known_option(step, w, err);
	option = idm_find_attr_option(word, strlen(word), &deep);
	if (option) {
		apply_attr_option(step, option, deep);
		return 0;
	}
	map = idm_find_map_option(word, &text);
	if (map)
		return apply_map_option(step, map, word, text, err);
	/* Programs leave each other such notes. The kernel does not know them. */
	if (has_prefix(word, "X-") || has_prefix(word, "x-"))
		return fail_word(-EINVAL, step, word,
				 "an option for another program, unknown to idmount", err);
	if (step->kind == IDM_PLAN_ENTRY_BIND && is_about_old_map(word))
		return fail_about_old_map(step, word, err);
	if (step->kind == IDM_PLAN_ENTRY_BIND)
		return fail_word(-EINVAL, step, word, "unknown option of a bind", err);
	return apply_mount_option(step, word, err);
}
