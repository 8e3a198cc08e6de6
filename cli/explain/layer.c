// SPDX-License-Identifier: MIT
/*
 * The options of an overlay name its layers as they were when it was mounted. Each name is only a hint:
 * it can lead to another directory by now, or in this mount namespace. So the file that is found has to
 * be the overlay's: an overlay shows mode, owner, size and times of the file in the layer. That also
 * finds a layer that was mapped at that time, and is not any more.
 */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"
#include "mount-rows.h"
#include "process-file.h"

static int query_fingerprint(int fd, struct statx *st)
{
	return idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			     STATX_BASIC_STATS & ~STATX_ATIME, st);
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

/* Sets *map, to NULL without a map. Returns false if it is not visible. */
static bool read_layer_map(int fd, struct idm_map **map)
{
	int r;

	if (idm_map_new(map) < 0)
		return false;
	r = idm_map_add_mount(*map, fd, NULL);
	if (r == 0)
		return true;
	idm_map_free(*map);
	*map = NULL;
	return r == -ENODATA;
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

/* False: another file has the name by now. */
static bool read_layer_file(const struct statx *shown, struct layer_file *file)
{
	AUTO_CLOSE int fd = open(file->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;

	if (fd < 0 || query_fingerprint(fd, &st) < 0 || !is_shown_file(shown, &st))
		return false;
	file->map_unseen = !read_layer_map(fd, &file->map);
	file->uid = to_layer_disk(file, IDM_UID, st.stx_uid);
	file->gid = to_layer_disk(file, IDM_GID, st.stx_gid);
	settle_layer_owner(file, &st);
	return true;
}

/* ---- the upper layer ---- */

/* The root directory of an overlay is shown as that of its upper layer. */
static void read_upper(const struct overlay_layers *layers, const struct statx *root,
		       struct layer_file *file)
{
	AUTO_CLOSE int directory = open_layer_path(layers->upper);
	struct statx st;

	if (directory < 0 || query_fingerprint(directory, &st) < 0)
		return;
	if (root->stx_mode ? is_shown_file(root, &st) : *file->path)
		file->upper_seen = read_layer_map(directory, &file->upper_map);
}

/* ---- the overlay ---- */

/* Unless it uses those of users, its own attributes are root's. Root of a container does not have them.
 */
static enum layer_marks find_marks(const struct verdict *v, const struct overlay_layers *layers)
{
	if (layers->userxattr)
		return MARKS_USED;
	if (v->facts.fs_map)
		return MARKS_UNUSED;
	return !(v->place->unseen & IDM_UNSEEN_FS_USERNS) && idm_in_initial_userns() &&
			       idm_has_capability(CAP_SYS_ADMIN)
		       ? MARKS_USED
		       : MARKS_UNSEEN;
}

static void take_stack(struct layer_stack *stack, struct layer_file *file)
{
	file->merged_unseen = stack->is_incomplete;
	if (!stack->n || strlen(stack->list[0].path) >= sizeof(file->path))
		return;
	strcpy(file->path, stack->list[0].path);
	file->lower = stack->list[0].layer;
	file->below = *stack;
	*stack = (struct layer_stack){ 0 };
}

static void forget_layer_file(struct layer_file *file)
{
	*file->path = '\0';
	file->lower = 0;
	free_layer_stack(&file->below);
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

static void find_in_layers(const struct verdict *v, struct overlay_layers *layers, const char *below,
			   struct layer_file *file)
{
	struct statx shown, root;
	struct layer_stack stack;
	bool is_found;

	file->has_options = layers->is_known;
	file->userxattr = layers->userxattr;
	file->has_upper = layers->upper;
	layers->marks = find_marks(v, layers);
	file->has_marks = layers->marks != MARKS_UNUSED;
	if (!layers->is_known || query_fingerprint(v->place->fd, &shown) < 0)
		return;
	look_up_in_layers(layers, below, &stack);
	is_found = stack.n || stack.upper_unseen;
	take_stack(&stack, file);
	if (*file->path && !read_layer_file(&shown, file))
		forget_layer_file(file);
	query_root(v, &root);
	if (layers->upper)
		read_upper(layers, &root, file);
	file->is_copied_up = file->upper_seen && !is_found;
	free_layer_stack(&stack);
}

bool is_on_overlay(const struct verdict *v)
{
	return v->place->mount && strcmp(v->place->mount->fstype, "overlay") == 0;
}

void find_layer_file(const struct verdict *v, struct layer_file *file)
{
	struct overlay_layers layers;
	char path[2 * PATH_MAX];
	const char *below = find_path_below(v, path, sizeof(path));
	uint64_t id;

	*file = (struct layer_file){ .uid = IDM_EXPLAIN_NO_ID, .gid = IDM_EXPLAIN_NO_ID };
	if (!below || idm_short_mount_id(v->place->fd, &id) < 0)
		return;
	read_overlay_layers(v->subject->pid, id, &layers);
	find_in_layers(v, &layers, below, file);
	free_overlay_layers(&layers);
}

void free_layer_file(struct layer_file *file)
{
	idm_map_free(file->map);
	idm_map_free(file->upper_map);
	free_layer_stack(&file->below);
}

static void settle_id(const struct layer_file *file, unsigned int kind, uint32_t *id)
{
	uint32_t disk = kind == IDM_UID ? file->uid : file->gid, seen = disk;

	if (*id != idm_overflow_id(kind) && *id != IDM_EXPLAIN_NO_ID)
		return;
	if (disk != IDM_EXPLAIN_NO_ID && file->map && idm_map_to_seen(file->map, kind, disk, &seen) < 0)
		seen = IDM_EXPLAIN_NO_ID;
	*id = seen;
}

/* One that lacks an owner can have a group of that number, or the other way round. */
static bool is_owner_uncertain(const struct verdict *v)
{
	const struct idm_explain_inode *inode = v->facts.inode;

	return v->place->unseen & IDM_UNSEEN_OWNER ||
	       (inode->uid == IDM_EXPLAIN_NO_ID && inode->gid == IDM_EXPLAIN_NO_ID);
}

void settle_owner(struct verdict *v, struct idm_explain_inode *inode)
{
	struct layer_file file;

	if (!is_on_overlay(v) || !is_owner_uncertain(v) || !idm_in_initial_userns())
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
