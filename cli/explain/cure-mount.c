// SPDX-License-Identifier: MIT
#include "cure-mount.h"

#include <stdio.h>
#include <string.h>

#include "cure-text.h"
#include "layer.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "process-path.h"

/* ---- mounts ---- */

static bool has_target(const struct verdict *v)
{
	return v->place->mount && *v->place->mount->target;
}

/*
 * Whether a link can lead a command elsewhere that names the mount: its way may begin above the working
 * directory.
 */
static bool is_target_exposed(const struct verdict *v)
{
	return v->subject->pid || v->is_mount_exposed || *v->path != '/';
}

struct flag_word {
	uint32_t flag;
	const char *set, *removed;
};

static const struct flag_word flag_words[] = {
	{ IDM_ATTR_RDONLY, "ro", "rw" },
	{ IDM_ATTR_NOSUID, "nosuid", "suid" },
	{ IDM_ATTR_NODEV, "nodev", "dev" },
	{ IDM_ATTR_NOEXEC, "noexec", "exec" },
	{ IDM_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow" },
};

uint32_t find_mount_flag(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (strcmp(flag_words[i].set, word) == 0)
			return flag_words[i].flag;
	return 0;
}

/* mount(2) removes each flag that is not named. mount(8) names them, if it finds /proc. */
static void write_flags(const struct verdict *v, uint32_t removed, char text[64])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (flag_words[i].flag == removed)
			n += (size_t)snprintf(text, 64, "%s", flag_words[i].removed);
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (v->facts.attr & flag_words[i].flag & ~removed)
			n += (size_t)snprintf(text + n, 64 - n, ",%s", flag_words[i].set);
}

static bool write_remount(const struct verdict *v, const char *kind, uint32_t removed, char *text,
			  size_t size)
{
	char target[VERDICT_TEXT], flags[64];

	if (!has_target(v) || !quote_word(v->place->mount->target, target, sizeof(target)))
		return false;
	write_flags(v, removed, flags);
	return write_cure(text, size, "mount -o remount,%s%s %s", kind, flags, target);
}

/* The root of the mount, where the process or the caller (pid 0) sees it. */
static bool find_mount_root_id(const struct verdict *v, pid_t pid, struct file_id *id)
{
	AUTO_CLOSE int root = open_process_path(pid, v->place->mount->target);
	uint64_t found, mount;

	return root >= 0 && idm_short_mount_id(root, &found) == 0 &&
	       idm_short_mount_id(v->place->fd, &mount) == 0 && found == mount &&
	       find_file_id(root, id) == 0;
}

/* mount(8) follows links. A container can make one that leads to another mount of its namespace. */
static bool write_cleared_flag(const struct verdict *v, uint32_t removed, char *text, size_t size)
{
	pid_t pid = v->subject->pid;
	char target[VERDICT_TEXT], enter[32] = "", number[FILE_ID_TEXT];
	struct file_id id;

	if (!has_target(v) || !quote_word(v->place->mount->target, target, sizeof(target)))
		return false;
	/* Of a process with another root directory, in the caller's namespace. */
	if (pid && !find_mount_root_id(v, pid, &id))
		pid = 0;
	if (!pid && !find_mount_root_id(v, pid, &id))
		return false;
	format_file_id(&id, number);
	if (pid)
		snprintf(enter, sizeof(enter), "--pid %d ", (int)pid);
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (flag_words[i].flag == removed)
			return write_cure(text, size, "idmount cure %s--file %s --clear %s %s", enter,
					  number, flag_words[i].set, target);
	return false;
}

bool describe_remount(const struct verdict *v, uint32_t removed, char *text, size_t size)
{
	return is_target_exposed(v) ? write_cleared_flag(v, removed, text, size)
				    : write_remount(v, "bind,", removed, text, size);
}

/*
 * An overlay without an upper layer cannot become writable. In another mount namespace, mount(8) would
 * believe the fstab there, which can name programs and options.
 */
bool describe_writable_filesystem(const struct verdict *v, char *text, size_t size)
{
	struct layer_file file;

	if (is_target_exposed(v))
		return false;
	if (!is_on_overlay(v))
		return write_remount(v, "", IDM_ATTR_RDONLY, text, size);
	find_layer_file(v, &file);
	free_layer_file(&file);
	return file.has_upper && write_remount(v, "", IDM_ATTR_RDONLY, text, size);
}

/* ---- maps ---- */

/* Adds an entry, unless an ID is missing or in use. */
static bool add_free_pair(struct idm_map *map, unsigned int kind, uint32_t disk, uint32_t seen)
{
	struct idm_entry entry = { disk, seen, 1 };

	return disk != IDM_EXPLAIN_NO_ID && idm_map_add(map, kind, &entry, 1, NULL) == 0;
}

static bool lacks_id(const struct verdict *v, unsigned int kind, uint32_t disk)
{
	uint32_t seen;

	return disk == IDM_EXPLAIN_NO_ID ||
	       (v->facts.mount_map && idm_map_to_seen(v->facts.mount_map, kind, disk, &seen) < 0);
}

bool is_refusing_inode_unmapped(const struct verdict *v)
{
	const struct idm_explain_inode *inode = refusing_inode(v);

	return lacks_id(v, IDM_UID, inode->uid) || lacks_id(v, IDM_GID, inode->gid);
}

/* If another owner is that already, this one keeps its number. */
static bool add_owner_pair(const struct verdict *v, struct idm_map *map, unsigned int kind,
			   uint32_t disk, uint32_t seen)
{
	return !lacks_id(v, kind, disk) || add_free_pair(map, kind, disk, seen) ||
	       add_free_pair(map, kind, disk, disk);
}

/* A new file has the same ID on disk. */
static bool add_creator_pairs(const struct verdict *v, struct idm_map *map)
{
	const struct idm_explain_options *facts = &v->facts;
	unsigned int kinds = v->result.kinds;

	return (!(kinds & IDM_UID) || add_free_pair(map, IDM_UID, facts->fsuid, facts->fsuid)) &&
	       (!(kinds & IDM_GID) || add_free_pair(map, IDM_GID, facts->fsgid, facts->fsgid));
}

/* `owns`: the process owns the file then. Otherwise the owner keeps its number. */
static bool add_entries(const struct verdict *v, bool owns, struct idm_map *map)
{
	const struct idm_explain_inode *inode = refusing_inode(v);

	if (v->result.rule == IDM_RULE_UNMAPPED_NEW_ID)
		return add_creator_pairs(v, map);
	return add_owner_pair(v, map, IDM_UID, inode->uid, owns ? v->facts.fsuid : inode->uid) &&
	       add_owner_pair(v, map, IDM_GID, inode->gid, owns ? v->facts.fsgid : inode->gid);
}

/* Whether the map allows the access. As the owner, it is enough if another rule refuses then. */
static bool map_helps(const struct verdict *v, bool owns, const struct idm_map *map)
{
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	facts.mount_map = map;
	if (idm_explain(&facts, &result, NULL) < 0)
		return false;
	return !result.rule || (owns && (result.rule != v->result.rule ||
					 result.on_directory != v->result.on_directory));
}

/*
 * Returns the map with what is missing, or NULL. If it shows an owner as the process, that owner can
 * make files that seem to be the process's. So the owner keeps its number where that is enough.
 */
static struct idm_map *enlarge_map(const struct verdict *v, bool owns)
{
	struct idm_map *map;

	if (idm_map_copy(v->facts.mount_map, &map) < 0)
		return NULL;
	if (add_entries(v, owns, map) && map_helps(v, owns, map))
		return map;
	idm_map_free(map);
	return NULL;
}

/* idmount mount adds nosuid and nodev to a map that shows an ID as another one. */
static const char *get_kept_options(const struct verdict *v)
{
	static const char *const options[] = { "", "-o suid ", "-o dev ", "-o suid,dev " };
	uint32_t attr = v->facts.attr;

	return options[(attr & IDM_ATTR_NOSUID ? 0 : 1) | (attr & IDM_ATTR_NODEV ? 0 : 2)];
}

static bool write_remap(const struct verdict *v, const struct idm_map *map, char *text, size_t size)
{
	char entries[VERDICT_TEXT / 2], target[VERDICT_TEXT];
	ssize_t n = idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, entries, sizeof(entries));

	return n > 0 && (size_t)n < sizeof(entries) &&
	       quote_word(v->place->mount->target, target, sizeof(target)) &&
	       write_cure(text, size, "idmount mount --remap --replace %s-m %s %s %s",
			  get_kept_options(v), entries, target, target);
}

/* The command maps a mount of the caller's namespace. Only a known ID on disk can be mapped. */
bool describe_larger_map(const struct verdict *v, char *text, size_t size)
{
	struct idm_map *map;
	bool written;

	if (is_target_exposed(v) || v->place->unseen & IDM_UNSEEN_MOUNT_MAP || !has_target(v) ||
	    !v->facts.mount_map || v->facts.access == IDM_ACCESS_CHOWN)
		return false;
	map = enlarge_map(v, false);
	if (!map)
		map = enlarge_map(v, true);
	written = map && write_remap(v, map, text, size);
	idm_map_free(map);
	return written;
}
