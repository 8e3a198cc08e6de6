// SPDX-License-Identifier: MIT
/*
 * The verdict. If entries of the mount's map are not visible, the facts have the visible ones only. A
 * refusal is then certain only if the kernel refuses the access with the best of hidden entries, too.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "layer.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"

/* Tries disk IDs from the highest one on. More than these are in no map of this program. */
#define TRIES_MOST 1024

/* What the mount could have in addition. */
struct hidden_entries {
	struct idm_map *map;
	struct idm_explain_options facts;
	struct idm_explain_inode inode, directory;
};

/* Returns the ID on disk; IDM_EXPLAIN_NO_ID: the ID is mapped already, or none. */
static uint32_t imagine_entry(struct idm_map *map, unsigned int kind, uint32_t seen)
{
	uint32_t id;

	if (seen == IDM_EXPLAIN_NO_ID || idm_map_to_disk(map, kind, seen, &id) == 0)
		return IDM_EXPLAIN_NO_ID;
	for (uint32_t n = 1; n <= TRIES_MOST; n++) {
		struct idm_entry entry = { IDM_EXPLAIN_NO_ID - n, seen, 1 };

		if (idm_map_add(map, kind, &entry, 1, NULL) == 0)
			return entry.disk;
	}
	return IDM_EXPLAIN_NO_ID;
}

/* An owner that has no number here. In the initial user namespace each one has a number. */
static void imagine_owner(struct hidden_entries *hidden, unsigned int kind, uint32_t *id)
{
	const struct idm_map *userns = hidden->facts.userns_map;
	uint32_t seen, inside, disk;

	if (!userns || (*id != IDM_EXPLAIN_NO_ID && idm_map_to_seen(hidden->map, kind, *id, &seen) == 0))
		return;
	for (uint32_t n = 1; n <= TRIES_MOST; n++) {
		if (idm_map_to_disk(userns, kind, IDM_EXPLAIN_NO_ID - n, &inside) == 0)
			continue;
		disk = imagine_entry(hidden->map, kind, IDM_EXPLAIN_NO_ID - n);
		if (disk != IDM_EXPLAIN_NO_ID)
			*id = disk;
		if (disk != IDM_EXPLAIN_NO_ID)
			return;
	}
}

/* chown(2) counts inside the user namespace of the process. */
static uint32_t to_outside(const struct hidden_entries *hidden, unsigned int kind, uint32_t inside)
{
	const struct idm_map *userns = hidden->facts.userns_map;
	uint32_t id = inside;

	if (inside == IDM_EXPLAIN_NO_ID || (userns && idm_map_to_seen(userns, kind, inside, &id) < 0))
		return IDM_EXPLAIN_NO_ID;
	return id;
}

static void imagine_process(struct hidden_entries *hidden)
{
	const struct idm_explain_options *facts = &hidden->facts;

	imagine_entry(hidden->map, IDM_UID, facts->fsuid);
	imagine_entry(hidden->map, IDM_GID, facts->fsgid);
	if (facts->access != IDM_ACCESS_CHOWN)
		return;
	imagine_entry(hidden->map, IDM_UID, to_outside(hidden, IDM_UID, facts->new_uid));
	imagine_entry(hidden->map, IDM_GID, to_outside(hidden, IDM_GID, facts->new_gid));
}

/* Both inodes are this program's own, or of the library that it has in it. */
static void imagine_inodes(struct hidden_entries *hidden)
{
	hidden->inode = *hidden->facts.inode;
	hidden->facts.inode = &hidden->inode;
	imagine_owner(hidden, IDM_UID, &hidden->inode.uid);
	imagine_owner(hidden, IDM_GID, &hidden->inode.gid);
	if (!hidden->facts.directory)
		return;
	hidden->directory = *hidden->facts.directory;
	hidden->facts.directory = &hidden->directory;
	imagine_owner(hidden, IDM_UID, &hidden->directory.uid);
	imagine_owner(hidden, IDM_GID, &hidden->directory.gid);
}

/* 0: they allow it; else the errno with the best of them. */
static int find_errno_of_hidden_entries(const struct verdict *v)
{
	struct hidden_entries hidden = { .facts = v->facts };
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;
	int errnum;

	if (!v->facts.mount_map || idm_map_copy(v->facts.mount_map, &hidden.map) < 0)
		return 0;
	hidden.facts.mount_map = hidden.map;
	imagine_process(&hidden);
	imagine_inodes(&hidden);
	errnum = idm_explain(&hidden.facts, &result, NULL) < 0 ? 0 : result.errnum;
	idm_map_free(hidden.map);
	return errnum;
}

static void doubt_map(struct verdict *v)
{
	int errnum = find_errno_of_hidden_entries(v);

	v->is_unknown = !errnum;
	v->doubt = "a map entry that is not visible here does";
	if (errnum && errnum != v->result.errnum) {
		v->other_errnum = errnum;
		v->other_case = "a map entry that is not visible here has the owner";
	}
}

/* ---- capabilities that are not visible ---- */

/* In the user namespace that mounted the filesystem, a process has at most what it has in its own. */
static bool may_unseen_capability_allow(const struct verdict *v)
{
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	facts.fs_capabilities = facts.capabilities;
	return idm_explain(&facts, &result, NULL) == 0 && !result.rule;
}

static void doubt_capabilities(struct verdict *v)
{
	if (v->is_unknown || !v->result.rule || !(v->place->unseen & IDM_UNSEEN_FS_USERNS) ||
	    !may_unseen_capability_allow(v))
		return;
	v->is_unknown = true;
	v->doubt = "the process has CAP_CHOWN where the filesystem was mounted";
}

/* ---- filesystems of the kernel ---- */

/* 0: not known. */
static uint32_t find_magic(const struct verdict *v)
{
	struct statfs fs;

	return idm_sys_fstatfs(v->place->fd, &fs) == 0 ? (uint32_t)fs.f_type : 0;
}

/* The kernel checks these before it asks the filesystem. */
static bool is_rule_of_mount(enum idm_access_rule rule)
{
	return rule == IDM_RULE_MOUNT_READONLY || rule == IDM_RULE_FILESYSTEM_READONLY ||
	       rule == IDM_RULE_NOEXEC || rule == IDM_RULE_NODEV || rule == IDM_RULE_NO_PROGRAM;
}

/*
 * A search is the mode's. Only procfs has rules that replace the mode, as for /proc/PID/fd. It also has
 * some for a search, but the caller was let through on the way. A directory of autofs has the mode of
 * what is mounted there at the first access of a process.
 */
static void doubt_kernel_rules(struct verdict *v)
{
	bool is_search = S_ISDIR(v->facts.inode->mode) && v->facts.access == IDM_ACCESS_EXECUTE;
	bool is_awaiting_mount;
	uint32_t magic;

	if (v->facts.access == IDM_ACCESS_FOLLOW || !(v->place->unseen & IDM_UNSEEN_FS_RULES) ||
	    v->is_unknown || is_rule_of_mount(v->result.rule))
		return;
	magic = find_magic(v);
	is_awaiting_mount = magic == AUTOFS_SUPER_MAGIC;
	v->is_unknown = is_awaiting_mount || magic == PROC_SUPER_MAGIC
				? v->result.errnum || v->place->is_last
				: !v->result.errnum && !is_search;
	v->doubt = is_awaiting_mount ? "the filesystem that autofs mounts there permits it"
				     : "procfs permits it by a rule of its own";
}

/* ---- subvolumes of btrfs ---- */

/* The library has asked for each file. mount(8) does not make a subvolume writable. */
static void name_readonly_subvolume(struct verdict *v)
{
	struct statfs fs;

	if (v->result.rule == IDM_RULE_FILESYSTEM_READONLY && idm_sys_fstatfs(v->place->fd, &fs) == 0 &&
	    (uint32_t)fs.f_type == BTRFS_SUPER_MAGIC && !(fs.f_flags & ST_RDONLY))
		refuse_for_reason(v, EROFS, "the subvolume is read-only");
}

/* ---- sticky directories ---- */

static void doubt_protection(struct verdict *v)
{
	if (v->result.rule != IDM_RULE_PROTECTED_LINK || !(v->place->unseen & IDM_UNSEEN_PROTECTION))
		return;
	v->is_unknown = true;
	v->doubt = "that setting is 0";
}

/* Shells open a file with O_CREAT to write to it. The kernel then has one more rule. */
static void judge_overwrite(struct verdict *v)
{
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	v->overwrite_errnum = 0;
	if (facts.access != IDM_ACCESS_WRITE || !facts.directory || S_ISDIR(facts.inode->mode))
		return;
	facts.access = IDM_ACCESS_OVERWRITE;
	if (idm_explain(&facts, &result, NULL) == 0 && result.rule == IDM_RULE_PROTECTED_FILE)
		v->overwrite_errnum = result.errnum;
}

const char *overwrite_text(const struct verdict *v)
{
	if (!v->overwrite_errnum)
		return "";
	return v->place->unseen & IDM_UNSEEN_PROTECTION
		       ? "; with O_CREAT, as by > in a shell, EACCES if fs.protected_regular and "
			 "fs.protected_fifos forbid that: another user owns it, in a sticky directory"
		       : "; with O_CREAT, as by > in a shell, EACCES: another user owns it, in a sticky "
			 "directory (fs.protected_regular, fs.protected_fifos)";
}

int fill_in_verdict(struct verdict *v, struct idm_error *err)
{
	int r;

	v->reason = NULL;
	v->is_unknown = v->is_refused_in_layer = false;
	v->doubt = NULL;
	v->other_errnum = 0;
	v->result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	r = idm_explain(&v->facts, &v->result, err);
	if (r < 0)
		return r;
	if (v->result.rule && v->place->unseen & IDM_UNSEEN_MOUNT_MAP)
		doubt_map(v);
	doubt_capabilities(v);
	doubt_owner(v);
	doubt_kernel_rules(v);
	doubt_protection(v);
	doubt_server(v);
	name_readonly_subvolume(v);
	judge_overwrite(v);
	return 0;
}

/* ---- what a refusal is about ---- */

const struct idm_explain_inode *refusing_inode(const struct verdict *v)
{
	return v->result.on_directory ? v->facts.directory : v->facts.inode;
}

bool is_acl_entry_of(const struct verdict *v, const struct idm_acl_entry *e, uint32_t kind, uint32_t id)
{
	uint32_t seen = e->id;

	if (e->kind != kind || e->id == IDM_EXPLAIN_NO_ID)
		return false;
	return (!v->facts.mount_map || idm_map_to_seen(v->facts.mount_map, kind, e->id, &seen) == 0) &&
	       seen == id;
}
