// SPDX-License-Identifier: MIT
/*
 * The options of an overlay name its layers as they were when it was mounted. Each name is only a hint:
 * it can lead to another directory by now, or in this mount namespace. So the file that is found has to
 * be the overlay's: an overlay shows mode, owner, size and times of the file in the layer. That also
 * finds a layer that was mapped at that time, and is not any more.
 *
 * The file is in the topmost layer that has its name. A whiteout or an opaque directory above would hide
 * it. A directory that was renamed by the overlay has another name in its layer; then no layer is found.
 */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/lowerdir.h"
#include "lib/base/macros.h"
#include "lib/base/unescape.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"
#include "mount-rows.h"
#include "process-file.h"

struct layer_search {
	struct layer_file *file;
	struct statx shown; /* by the overlay */
	struct statx root;  /* its root directory; zero: not visible */
	const char *below;  /* the root directory of the overlay */
	unsigned int lower;
	bool is_merging; /* the file is found, and is a directory */
};

enum { SEARCH_ON = 0, SEARCH_ENDED = 1 };

/* A detached mount has no other path, as the layers of idmount overlay. */
static bool is_detached_layer(const char *layer)
{
	return strcmp(layer, "/") == 0;
}

static int query_fingerprint(int fd, struct statx *st)
{
	return idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			     STATX_BASIC_STATS & ~STATX_ATIME, st);
}

/* ---- directories that are merged ---- */

static bool has_overlay_attribute(const struct layer_search *s, int fd, const char *name, char *value)
{
	char key[64];

	snprintf(key, sizeof(key), "%s.overlay.%s", s->file->userxattr ? "user" : "trusted", name);
	return idm_sys_getxattr(fd, key, value, 1) != -ENODATA;
}

/* "y": it hides the layers below. With a redirect, it is merged with a directory of another name. */
static int continue_merge(struct layer_search *s, int fd)
{
	char value = '\0';

	s->is_merging = true;
	if (!s->file->userxattr && !idm_has_capability(CAP_SYS_ADMIN))
		s->file->merged_unseen = true;
	if (has_overlay_attribute(s, fd, "redirect", &value))
		s->file->merged_unseen = true;
	has_overlay_attribute(s, fd, "opaque", &value);
	return value == 'y' || s->file->merged_unseen ? SEARCH_ENDED : SEARCH_ON;
}

static int add_merged(struct layer_search *s, int fd, const char *path)
{
	struct layer_file *file = s->file;
	char *copy = file->n_merged < MERGED_MOST ? strdup(path) : NULL;

	if (copy)
		file->merged[file->n_merged++] = copy;
	file->merged_unseen |= !copy;
	return continue_merge(s, fd);
}

/* A file or a whiteout in a layer hides the layers below. */
static int merge_layer(struct layer_search *s, const char *layer)
{
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];
	struct statx st;

	if (is_detached_layer(layer) || access(layer, F_OK) < 0 ||
	    (size_t)snprintf(path, sizeof(path), "%s%s", layer, s->below) >= sizeof(path)) {
		s->file->merged_unseen = true;
		return SEARCH_ENDED;
	}
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return SEARCH_ON;
	if (fd < 0 || query_fingerprint(fd, &st) < 0) {
		s->file->merged_unseen = true;
		return SEARCH_ENDED;
	}
	return S_ISDIR(st.stx_mode) ? add_merged(s, fd, path) : SEARCH_ENDED;
}

/* ---- one layer ---- */

static bool is_same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_shown_file(const struct statx *shown, const struct statx *st)
{
	return shown->stx_mode == st->stx_mode && shown->stx_uid == st->stx_uid &&
	       shown->stx_gid == st->stx_gid && shown->stx_size == st->stx_size &&
	       is_same_time(&shown->stx_ctime, &st->stx_ctime) &&
	       is_same_time(&shown->stx_mtime, &st->stx_mtime);
}

static void read_layer_map(int fd, struct layer_file *file)
{
	int r;

	if (idm_map_new(&file->map) < 0)
		return;
	r = idm_map_add_mount(file->map, fd, NULL);
	if (r == 0)
		return;
	file->map_unseen = r != -ENODATA;
	idm_map_free(file->map);
	file->map = NULL;
}

static int note_layer_owner(const struct idm_explain_info *place, void *data)
{
	struct layer_file *file = data;

	if (!place->is_last)
		return 0;
	file->uid = place->facts->inode->uid;
	file->gid = place->facts->inode->gid;
	file->map_unseen |= place->unseen & IDM_UNSEEN_OWNER;
	return 0;
}

/* The map can have the ID that also stands for no owner. Then only a copy without the map tells. */
static void settle_layer_owner(struct layer_file *file, const struct statx *st)
{
	bool overflows = st->stx_uid == idm_overflow_id(IDM_UID) ||
			 st->stx_gid == idm_overflow_id(IDM_GID);

	if (file->map && overflows &&
	    idm_explain_path(0, file->path, IDM_EXPLAIN_NOFOLLOW, note_layer_owner, file, NULL) < 0)
		file->map_unseen = true;
}

static uint32_t to_layer_disk(const struct layer_file *file, unsigned int kind, uint32_t seen)
{
	uint32_t id = seen;

	if (file->map && idm_map_to_disk(file->map, kind, seen, &id) < 0)
		return IDM_EXPLAIN_NO_ID;
	return id;
}

static int use_layer_file(struct layer_search *s, int fd, const struct statx *st, const char *path,
			  bool is_upper)
{
	struct layer_file *file = s->file;

	snprintf(file->path, sizeof(file->path), "%s", path);
	file->lower = is_upper ? 0 : s->lower;
	read_layer_map(fd, file);
	file->uid = to_layer_disk(file, IDM_UID, st->stx_uid);
	file->gid = to_layer_disk(file, IDM_GID, st->stx_gid);
	settle_layer_owner(file, st);
	return S_ISDIR(st->stx_mode) ? continue_merge(s, fd) : SEARCH_ENDED;
}

/* A layer that does not have the name lets the next one show the file. */
static int search_layer(struct layer_search *s, const char *layer, bool is_upper)
{
	AUTO_CLOSE int directory = -1, fd = -1;
	char path[PATH_MAX];
	struct statx st;

	if (s->is_merging)
		return merge_layer(s, layer);
	directory = open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC);
	s->lower += !is_upper;
	if (directory < 0 ||
	    (size_t)snprintf(path, sizeof(path), "%s%s", layer, s->below) >= sizeof(path))
		return SEARCH_ENDED;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? SEARCH_ON : SEARCH_ENDED;
	if (query_fingerprint(fd, &st) < 0 || !is_shown_file(&s->shown, &st))
		return SEARCH_ENDED;
	return use_layer_file(s, fd, &st, path, is_upper);
}

/* ---- all layers ---- */

static int search_lower(char *path, bool data_only, void *data)
{
	return data_only ? SEARCH_ON : search_layer(data, path, false);
}

/* The value of an option, or NULL. */
static char *match_option(char *option, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(option, key, n) != 0)
		return NULL;
	idm_unescape(option + n);
	return option + n;
}

/* An option comes after the beginning or a comma: a comma in a name is escaped. */
static char *find_upper_option(const char *options)
{
	const char *option = strstr(options, ",upperdir=");

	return option ? strndup(option + 1, strcspn(option + 1, ",")) : NULL;
}

/* The root directory of an overlay is shown as that of its upper layer. */
static bool is_plain_upper(const struct layer_search *s, const char *upper)
{
	AUTO_CLOSE int directory = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct layer_file layer = { 0 };
	struct statx st;
	bool is_plain;

	if (directory < 0 || query_fingerprint(directory, &st) < 0 || !is_shown_file(&s->root, &st))
		return false;
	read_layer_map(directory, &layer);
	is_plain = !layer.map && !layer.map_unseen;
	idm_map_free(layer.map);
	return is_plain;
}

/* The upper layer comes last in the text. */
static int search_upper(struct layer_search *s, const char *options)
{
	char *option = find_upper_option(options);
	const char *upper = option ? match_option(option, "upperdir=") : NULL;
	int r = upper ? search_layer(s, upper, true) : SEARCH_ON;

	s->file->is_copied_up = upper && r == SEARCH_ON && !s->is_merging && is_plain_upper(s, upper);
	free(option);
	return r;
}

static int search_option(struct layer_search *s, char *option)
{
	char *layer = match_option(option, "lowerdir+="), *list = match_option(option, "lowerdir=");

	if (layer)
		return search_layer(s, layer, false);
	return list ? idm_split_lowerdir(list, search_lower, s) : SEARCH_ON;
}

static void search_options(struct layer_search *s, char *options)
{
	int r = search_upper(s, options);
	char *option;

	while (r == SEARCH_ON && (option = strsep(&options, ",")))
		r = search_option(s, option);
}

/* ---- the overlay ---- */

/* "36 35 0:42 / /target rw - overlay source options": cuts the last word off. */
static char *find_super_options(char *line, uint64_t id)
{
	unsigned long long found;
	char *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%llu ", &found) != 1 || found != id)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return strrchr(rest, ' ') + 1;
}

static void search_mountinfo(struct layer_search *s, FILE *mountinfo, uint64_t id)
{
	char *line = NULL, *options;
	size_t size = 0;

	while (getline(&line, &size, mountinfo) > 0) {
		options = find_super_options(line, id);
		if (!options)
			continue;
		s->file->has_options = true;
		s->file->has_upper = strstr(options, ",upperdir=");
		s->file->userxattr = strstr(options, ",userxattr");
		search_options(s, options);
		break;
	}
	free(line);
}

static void query_root(const struct verdict *v, struct statx *root)
{
	const struct idm_mount_info *mount = v->place->mount;
	char name[PATH_MAX + 8];
	AUTO_CLOSE int fd = -1;
	uint64_t id, own;

	snprintf(name, sizeof(name), "root%s", mount->target);
	fd = open_process_file(v->subject->pid, name, O_PATH | O_DIRECTORY);
	if (strcmp(mount->root, "/") != 0 || fd < 0 || idm_short_mount_id(fd, &id) < 0 ||
	    idm_short_mount_id(v->place->fd, &own) < 0 || id != own || query_fingerprint(fd, root) < 0)
		*root = (struct statx){ 0 };
}

bool is_on_overlay(const struct verdict *v)
{
	return v->place->mount && strcmp(v->place->mount->fstype, "overlay") == 0;
}

void find_layer_file(const struct verdict *v, struct layer_file *file)
{
	struct layer_search s = { .file = file };
	char path[2 * PATH_MAX];
	FILE *mountinfo;
	uint64_t id;

	*file = (struct layer_file){ .uid = IDM_EXPLAIN_NO_ID, .gid = IDM_EXPLAIN_NO_ID };
	s.below = find_path_below(v, path, sizeof(path));
	if (!s.below || idm_short_mount_id(v->place->fd, &id) < 0 ||
	    query_fingerprint(v->place->fd, &s.shown) < 0)
		return;
	mountinfo = open_mountinfo(v->subject->pid);
	if (!mountinfo)
		return;
	query_root(v, &s.root);
	search_mountinfo(&s, mountinfo, id);
	fclose(mountinfo);
}

void free_layer_file(struct layer_file *file)
{
	idm_map_free(file->map);
	for (size_t i = 0; i < file->n_merged; i++)
		free(file->merged[i]);
}

static void settle_id(const struct layer_file *file, unsigned int kind, uint32_t *id)
{
	uint32_t disk = kind == IDM_UID ? file->uid : file->gid, seen;
	bool is_mapped = disk != IDM_EXPLAIN_NO_ID &&
			 (!file->map || idm_map_to_seen(file->map, kind, disk, &seen) == 0);

	if (*id == idm_overflow_id(kind) && !is_mapped)
		*id = IDM_EXPLAIN_NO_ID;
}

void settle_owner(struct verdict *v, struct idm_explain_inode *inode)
{
	struct layer_file file;

	if (!is_on_overlay(v) || !(v->place->unseen & IDM_UNSEEN_OWNER) || !idm_in_initial_userns())
		return;
	find_layer_file(v, &file);
	v->has_certain_owner = *file.path && !file.map_unseen;
	if (v->has_certain_owner) {
		*inode = *v->facts.inode;
		settle_id(&file, IDM_UID, &inode->uid);
		settle_id(&file, IDM_GID, &inode->gid);
		v->facts.inode = inode;
	}
	free_layer_file(&file);
}
