// SPDX-License-Identifier: MIT
/* How a file whose owner has no number in a container gets the process as its owner. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cure-text.h"
#include "layer.h"
#include "other-path.h"
#include "verdict.h"

bool lacks_inside_owner(const struct verdict *v)
{
	const struct idm_map *userns = v->facts.userns_map;
	uint32_t inside;

	return userns && (v->result.uid == IDM_EXPLAIN_NO_ID ||
			  idm_map_to_disk(userns, IDM_UID, v->result.uid, &inside) < 0);
}

/* A relative path begins in the working directory of the process. */
static bool write_whole_path(const struct verdict *v, char *text, size_t size)
{
	char link[64], directory[VERDICT_TEXT];
	ssize_t n;

	if (*v->path == '/')
		return write_cure(text, size, "%s", v->path);
	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)v->subject->pid);
	n = readlink(link, directory, sizeof(directory) - 1);
	if (n < 1)
		return false;
	directory[n] = '\0';
	return write_cure(text, size, "%s/%s", n > 1 ? directory : "", v->path);
}

/*
 * Where the engine mounts it. The path of a mount in another mount namespace can have another
 * beginning.
 */
static const char *find_destination(const struct verdict *v)
{
	const char *target = v->place->mount ? v->place->mount->target : "";
	size_t n = strlen(target);
	char path[VERDICT_TEXT];

	if (n < 2 || !write_whole_path(v, path, sizeof(path)) || strncmp(path, target, n) != 0 ||
	    !strchr("/", path[n]) || strchr(target, '\''))
		return "DEST";
	return target + 1;
}

/* "uids=@1000-0-1;gids=@1000-0-1": as the container counts the second number. */
static bool write_engine_map(const struct verdict *v, char *text, size_t size)
{
	const struct idm_explain_options *facts = &v->facts;
	uint32_t uid, gid;

	return idm_map_to_disk(facts->userns_map, IDM_UID, facts->fsuid, &uid) == 0 &&
	       idm_map_to_disk(facts->userns_map, IDM_GID, facts->fsgid, &gid) == 0 &&
	       write_cure(text, size, "uids=@%u-%u-1;gids=@%u-%u-1", facts->inode->uid, uid,
			  facts->inode->gid, gid);
}

/* Whether one row of the map of a container has both IDs, as the container counts. */
static bool has_row_of_both(const struct idm_map *userns, unsigned int kind, uint32_t a, uint32_t b)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(userns, kind, &entries);

	for (size_t i = 0; i < n; i++)
		if (a - entries[i].disk < entries[i].count && b - entries[i].disk < entries[i].count)
			return true;
	return false;
}

/*
 * crun before 1.13 and podman before 5.0 look up the first number of a relative entry in the map of the
 * container, later ones the second number. Without a row that has both, the numbers are the host's. A
 * new container has the same ones, except with --userns=auto: there the annotation is the cure.
 */
static bool write_podman_map(const struct verdict *v, const char *map, char *text, size_t size)
{
	const struct idm_explain_options *facts = &v->facts;
	const struct idm_explain_inode *inode = facts->inode;
	uint32_t uid, gid;

	if (idm_map_to_disk(facts->userns_map, IDM_UID, facts->fsuid, &uid) < 0 ||
	    idm_map_to_disk(facts->userns_map, IDM_GID, facts->fsgid, &gid) < 0)
		return false;
	if (has_row_of_both(facts->userns_map, IDM_UID, inode->uid, uid) &&
	    has_row_of_both(facts->userns_map, IDM_GID, inode->gid, gid))
		return write_cure(text, size, "%s", map);
	if (has_automatic_userns(v->subject))
		return false;
	return write_cure(text, size, "uids=%u-%u-1;gids=%u-%u-1", inode->uid, facts->fsuid, inode->gid,
			  facts->fsgid);
}

/*
 * Only idmount obeys the annotation. Its key has the path without the first slash. docker has no hooks,
 * and another runtime would ignore it in silence.
 */
static bool write_annotation(const struct verdict *v, const char *map, char *text, size_t size)
{
	return write_cure(text, size,
			  "run a new container with %s--annotation 'io.idmount.map/%s=idmap=%s'",
			  v->subject->is_dockers ? "--runtime idmount " : "", find_destination(v), map);
}

/* ---- podman's option ---- */

struct volume {
	char source[VERDICT_TEXT], destination[VERDICT_TEXT];
	bool is_mapped; /* on the host, where no mount shows it without a map */
};

static int note_map_state(const struct idm_mount_info *mount, void *data)
{
	*(enum idm_map_state *)data = mount->map_state;
	return 0;
}

/* A directory of the host, which the caller sees on a mapped mount. */
static bool has_mapped_source(const struct volume *volume)
{
	enum idm_map_state state = IDM_MAP_NONE;

	return *volume->source == '/' &&
	       idm_list_path(AT_FDCWD, volume->source, 0, note_map_state, &state, NULL) == 0 &&
	       state != IDM_MAP_NONE;
}

/* No runtime maps a mount that has a map. The same directory on another mount is the source then. */
static bool find_volume(const struct verdict *v, struct volume *volume)
{
	const char *destination = find_destination(v);

	if (strcmp(destination, "DEST") == 0 ||
	    !write_cure(volume->destination, sizeof(volume->destination), "/%s", destination))
		return false;
	find_podman_source(v->subject, volume->destination, volume->source, sizeof(volume->source));
	volume->is_mapped = has_mapped_source(volume) &&
			    !find_other_mount_root(v, volume->source, sizeof(volume->source));
	return true;
}

/* Without the map of the volume, whose source has none. */
static bool owns_without_map(const struct verdict *v)
{
	const struct idm_explain_options *facts = &v->facts;

	return facts->mount_map && facts->inode->uid == facts->fsuid &&
	       facts->inode->gid == facts->fsgid;
}

/* A source with a colon or a quote cannot be in this option. runc before 1.2 would ignore the map in
 * silence.
 */
static bool write_volume(const struct verdict *v, const struct volume *volume, const char *map,
			 char *text, size_t size)
{
	char own[96];

	if (strpbrk(volume->source, ":'"))
		return false;
	if (owns_without_map(v))
		return write_cure(text, size, "run a new container with --volume '%s:%s'",
				  volume->source, volume->destination);
	return write_podman_map(v, map, own, sizeof(own)) &&
	       write_cure(text, size, "run a new container with %s--volume '%s:%s:idmap=%s'",
			  has_podman_runc(v->subject) ? "--runtime crun " : "", volume->source,
			  volume->destination, own);
}

static bool write_engine_option(const struct verdict *v, char *text, size_t size)
{
	char map[96];
	struct volume volume;
	bool has_volume;

	if (!is_container_of_root(v->subject->pid) || !write_engine_map(v, map, sizeof(map)))
		return false;
	has_volume = is_in_podman(v->subject) && find_volume(v, &volume);
	if (has_volume && volume.is_mapped)
		return false;
	return (has_volume && write_volume(v, &volume, map, text, size)) ||
	       write_annotation(v, map, text, size);
}

/* Whether the process may do it as the owner. */
static bool owner_map_allows(const struct verdict *v)
{
	const struct idm_explain_inode *inode = v->facts.inode;
	const struct idm_entry uid = { inode->uid, v->facts.fsuid, 1 };
	const struct idm_entry gid = { inode->gid, v->facts.fsgid, 1 };
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;
	struct idm_map *map;
	bool allows;

	if (idm_map_new(&map) < 0)
		return false;
	facts.mount_map = map;
	allows = idm_map_add(map, IDM_UID, &uid, 1, NULL) == 0 &&
		 idm_map_add(map, IDM_GID, &gid, 1, NULL) == 0 &&
		 idm_explain(&facts, &result, NULL) == 0 && !result.rule;
	idm_map_free(map);
	return allows;
}

bool is_cured_by_owner_map(const struct verdict *v)
{
	if (!v->result.errnum)
		return false;
	if (!v->place->is_last)
		return lacks_inside_owner(v);
	return v->subject->pid && v->result.rule == IDM_RULE_UNMAPPED_NEW_ID && !lacks_inside_owner(v) &&
	       owner_map_allows(v);
}

/*
 * Root of a container could store set-user-ID programs of the host's root in such a volume, and
 * set-group-ID programs of its group. idmount's default rule refuses the annotation for either.
 */
static bool is_of_hosts_root(const struct idm_explain_inode *inode)
{
	return inode->uid == 0 || inode->gid == 0;
}

/* To find its user namespace, the library has tried to map it. On the way it has not tried. */
static bool is_filesystem_unmappable(const struct verdict *v)
{
	return is_on_overlay(v) ||
	       (v->place->is_last && geteuid() == 0 && v->place->unseen & IDM_UNSEEN_FS_USERNS);
}

bool describe_owner_map(const struct verdict *v, char *text, size_t size)
{
	const struct idm_explain_inode *inode = v->facts.inode;
	char path[VERDICT_TEXT];

	if (inode->uid == IDM_EXPLAIN_NO_ID || inode->gid == IDM_EXPLAIN_NO_ID ||
	    is_hidden_id(inode->uid) || is_hidden_id(inode->gid) || !v->facts.userns_map ||
	    is_of_hosts_root(inode) || is_filesystem_unmappable(v))
		return false;
	if (v->subject->pid)
		return write_engine_option(v, text, size);
	/* A link on the way would lead it to another directory. */
	return !v->is_exposed && quote_word(v->path, path, sizeof(path)) &&
	       write_cure(text, size, "as root: idmount mount -m u:%u:%u,g:%u:%u %s %s", inode->uid,
			  v->facts.fsuid, inode->gid, v->facts.fsgid, path, path);
}
