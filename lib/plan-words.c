// SPDX-License-Identifier: MIT
/*
 * The words of containerd's mount lists and of the OCI runtime specification. One table; what is not in
 * it is an option of the filesystem, or an error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "error.h"
#include "lowerdir.h"
#include "plan.h"
#include "tree-why.h"
#include "util.h"

static const char step_plan[] = "plan mount";

/* ---- filesystems ---- */

static const struct idm_filesystem filesystems[] = {
	{ "tmpfs", "tmpfs", false },
	{ "proc", "proc", false },
	{ "sysfs", "sysfs", false },
	{ "devpts", "devpts", false },
	{ "mqueue", "mqueue", false },
	{ "cgroup2", "cgroup2", false },
	{ "cgroup", "cgroup2", false } /* as the OCI calls either */,
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

/* ---- words ---- */

enum what {
	ATTRIBUTE, /* with an r in front: of all below too */
	PROPAGATION,
	BIND,
	SCOPE,
	LOOP,
	NOTHING, /* asks for what is so anyway */
	REFUSED,
};

static const struct word {
	const char *word;
	enum what what;
	uint32_t set, clear; /* IDM_ATTR_*; of the others: `set` is the value */
} table[] = {
	{ "ro", ATTRIBUTE, IDM_ATTR_RDONLY, 0 },
	{ "rw", ATTRIBUTE, 0, IDM_ATTR_RDONLY },
	{ "nosuid", ATTRIBUTE, IDM_ATTR_NOSUID, 0 },
	{ "suid", ATTRIBUTE, 0, IDM_ATTR_NOSUID },
	{ "nodev", ATTRIBUTE, IDM_ATTR_NODEV, 0 },
	{ "dev", ATTRIBUTE, 0, IDM_ATTR_NODEV },
	{ "noexec", ATTRIBUTE, IDM_ATTR_NOEXEC, 0 },
	{ "exec", ATTRIBUTE, 0, IDM_ATTR_NOEXEC },
	{ "nosymfollow", ATTRIBUTE, IDM_ATTR_NOSYMFOLLOW, 0 },
	{ "symfollow", ATTRIBUTE, 0, IDM_ATTR_NOSYMFOLLOW },
	/* One field with three values, of which relatime is 0. "atime" is the opposite of noatime only.
	 */
	{ "noatime", ATTRIBUTE, IDM_ATTR_NOATIME, IDM_ATTR_ATIME },
	{ "atime", ATTRIBUTE, 0, IDM_ATTR_NOATIME },
	{ "strictatime", ATTRIBUTE, IDM_ATTR_STRICTATIME, IDM_ATTR_ATIME },
	{ "nostrictatime", ATTRIBUTE, 0, IDM_ATTR_STRICTATIME },
	{ "relatime", ATTRIBUTE, 0, IDM_ATTR_ATIME },
	{ "norelatime", ATTRIBUTE, 0, 0 },
	{ "nodiratime", ATTRIBUTE, IDM_ATTR_NODIRATIME, 0 },
	{ "diratime", ATTRIBUTE, 0, IDM_ATTR_NODIRATIME },
	{ "private", PROPAGATION, IDM_PROPAGATION_PRIVATE, 0 },
	{ "slave", PROPAGATION, IDM_PROPAGATION_SLAVE, 0 },
	{ "shared", PROPAGATION, IDM_PROPAGATION_SHARED, 0 },
	{ "unbindable", PROPAGATION, IDM_PROPAGATION_UNBINDABLE, 0 },
	{ "bind", BIND, false, 0 },
	{ "rbind", BIND, true, 0 },
	{ "idmap", SCOPE, IDM_MAP_TOP, 0 },
	{ "ridmap", SCOPE, IDM_MAP_DEEP, 0 },
	{ "loop", LOOP, 0, 0 },
	{ "defaults", NOTHING, 0, 0 },
	{ "async", NOTHING, 0, 0 },
	{ "nomand", NOTHING, 0, 0 },
	{ "nolazytime", NOTHING, 0, 0 },
	{ "noiversion", NOTHING, 0, 0 },
	{ "loud", NOTHING, 0, 0 },
	{ "silent", NOTHING, 0, 0 }, /* what is mounted by descriptor says nothing in the kernel log */
	{ "remount", REFUSED, 0, 0 },
	{ "tmpcopyup", REFUSED, 0, 0 },
};

static const struct word *find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].word, word) == 0)
			return &table[i];
	return NULL;
}

/* "rro": `word` with an r in front of one that can be for all below. */
static const struct word *find_deep(const char *word)
{
	const struct word *w = *word == 'r' ? find(word + 1) : NULL;

	return w && (w->what == ATTRIBUTE || w->what == PROPAGATION) ? w : NULL;
}

bool idm_is_bind_word(const char *word)
{
	return word && (strcmp(word, "bind") == 0 || strcmp(word, "rbind") == 0);
}

static int fail_word(int code, const struct idm_step *step, const char *word, const char *reason,
		     struct idm_error *err)
{
	char name[IDM_STEP_NAME];

	return idm_fail(err, code, step_plan, idm_step_name(step, name, sizeof(name)), "%s: %s", word,
			reason);
}

/* The later word wins. */
static void take_attribute(struct idm_attributes *a, const struct word *w)
{
	a->set = (a->set & ~w->clear) | w->set;
	a->clear = (a->clear & ~w->set) | w->clear;
}

static int take_known_word(struct idm_step *step, const struct word *w, bool deep, struct idm_error *err)
{
	switch (w->what) {
	case ATTRIBUTE:
		take_attribute(deep ? &step->deep : &step->top, w);
		break;
	case PROPAGATION:
		step->propagation = (enum idm_propagation)w->set;
		step->deep_propagation = deep;
		break;
	case BIND:
		step->recursive = w->set;
		break;
	case SCOPE:
		step->map_scope = (enum idm_map_scope)w->set;
		break;
	case LOOP:
		if (step->kind != IDM_STEP_FILESYSTEM || !step->filesystem->on_device)
			return fail_word(-EINVAL, step, w->word,
					 "that is for filesystems on a device only", err);
		step->loop = true;
		break;
	case NOTHING:
		break;
	case REFUSED:
		return fail_word(-EINVAL, step, w->word, "idmount does not do that", err);
	}
	return 0;
}

/* ---- words with a value ---- */

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

/* uidmap=, gidmap=, and crun's idmap=uids=...;gids=... */
static bool is_map_word(const char *word)
{
	return begins(word, "uidmap=") || begins(word, "gidmap=") || begins(word, "idmap=") ||
	       begins(word, "ridmap=");
}

/* Two halves of a map in two places would be a map that nobody has written. */
static bool is_given(const struct idm_map *map, unsigned int kinds)
{
	const struct idm_entry *entries;

	return map && ((kinds & IDM_UID && idm_map_entries(map, IDM_UID, &entries)) ||
		       (kinds & IDM_GID && idm_map_entries(map, IDM_GID, &entries)));
}

static int take_map_word(struct idm_step *step, const char *word, struct idm_error *err)
{
	unsigned int kinds = *word == 'u' ? IDM_UID : *word == 'g' ? IDM_GID : IDM_BOTH;
	/* Without the r, "ridmap=" is a word that maps are parsed from. */
	const char *text = *word == 'r' ? word + 1 : word;

	/* analyzer: only words with a "=" come here */
	if (!strchr(word, '=')[1])
		return fail_word(-EINVAL, step, word, "the map is empty", err);
	if (is_given(step->map, kinds))
		return fail_word(-EINVAL, step, word, "a map is given twice", err);
	if (kinds == IDM_BOTH)
		step->map_scope = *word == 'r' ? IDM_MAP_DEEP : IDM_MAP_TOP;
	if (!step->map && idm_map_new(&step->map) < 0)
		return idm_fail(err, -ENOMEM, step_plan, NULL, NULL);
	return idm_map_parse(step->map, text, 0, err);
}

static int add_path(struct idm_path **list, size_t *n, int dirfd, const char *path)
{
	struct idm_path *new = idm_array_append(list, n, sizeof(*new));

	if (!new)
		return -ENOMEM;
	*new = (struct idm_path){ dirfd, path };
	return 0;
}

static int take_layer(char *path, bool data_only, void *data)
{
	struct idm_step *step = data;

	return data_only ? add_path(&step->data, &step->n_data, step->dirfd, path)
			 : add_path(&step->lower, &step->n_lower, step->dirfd, path);
}

static int take_directory(struct idm_step *step, const char **directory, const char *word,
			  const char *value, struct idm_error *err)
{
	if (*directory)
		return fail_word(-EINVAL, step, word, "it is given twice", err);
	if (!*value)
		return fail_word(-EINVAL, step, word, "no directory is given", err);
	*directory = value;
	return 0;
}

/* One of overlay's directories. Returns 1 if it is none. */
static int take_overlay_word(struct idm_step *step, char *word, char *value, struct idm_error *err)
{
	int r;

	if (strcmp(word, "upperdir") == 0)
		return take_directory(step, &step->upper, word, value, err);
	if (strcmp(word, "workdir") == 0)
		return take_directory(step, &step->work, word, value, err);
	if (strcmp(word, "lowerdir") == 0) {
		if (step->n_lower)
			return fail_word(-EINVAL, step, word, "it is given twice", err);
		r = idm_split_lowerdir(value, take_layer, step);
	} else if (strcmp(word, "lowerdir+") == 0 || strcmp(word, "datadir+") == 0) {
		if (!*value)
			return fail_word(-EINVAL, step, word, "no directory is given", err);
		r = take_layer(value, *word == 'd', step);
	} else {
		return 1;
	}
	if (r == -EINVAL)
		return fail_word(r, step, word, "a layer is missing between two colons, or at an end",
				 err);
	return r < 0 ? idm_fail(err, r, step_plan, NULL, NULL) : 0;
}

static int take_option(struct idm_step *step, char *word, struct idm_error *err)
{
	char *value = strchr(word, '=');
	struct idm_overlay_option *new;
	int r;

	if (value)
		*value++ = '\0';
	if (value && step->kind == IDM_STEP_OVERLAY) {
		r = take_overlay_word(step, word, value, err);
		if (r <= 0)
			return r;
	}
	new = idm_array_append(&step->options, &step->n_options, sizeof(*new));
	if (!new)
		return idm_fail(err, -ENOMEM, step_plan, NULL, NULL);
	*new = (struct idm_overlay_option){ word, value };
	return 0;
}

/* Words of the command for a source that is ID-mapped already. */
static bool is_about_old_map(const char *word)
{
	return strcmp(word, "remap") == 0 || strcmp(word, "on-top") == 0;
}

static int fail_about_old_map(const struct idm_step *step, const char *word, struct idm_error *err)
{
	fail_word(-EINVAL, step, word, "a plan cannot change a map that the source has already", err);
	idm_hint(err, IDM_HINT_UNMAPPED);
	return -EINVAL;
}

int idm_step_take_word(struct idm_step *step, char *word, struct idm_error *err)
{
	const struct word *w = find(word), *deep = w ? NULL : find_deep(word);

	if (w || deep)
		return take_known_word(step, w ? w : deep, deep, err);
	if (is_map_word(word))
		return take_map_word(step, word, err);
	/* Notes of programs for each other, which would be lost on the kernel. */
	if (begins(word, "X-") || begins(word, "x-"))
		return fail_word(-EINVAL, step, word,
				 "an option for another program, which idmount does not know", err);
	if (step->kind == IDM_STEP_BIND && is_about_old_map(word))
		return fail_about_old_map(step, word, err);
	if (step->kind == IDM_STEP_BIND)
		return fail_word(-EINVAL, step, word, "a bind has no such option", err);
	return take_option(step, word, err);
}
