// SPDX-License-Identifier: MIT
/* The command that removes the rule which refuses an access. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cure-mount.h"
#include "cure-owner.h"
#include "cure-text.h"
#include "layer.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"
#include "other-path.h"
#include "process-path.h"

/* ---- paths ---- */

size_t parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

/* On a read-only mount nothing can be changed, but the file can have a path on a writable one. */
static bool requires_other_path(const struct verdict *v)
{
	return v->facts.attr & IDM_ATTR_RDONLY;
}

/* The path of the inode that the rule is about. */
static bool copy_refusing_path(const struct verdict *v, char *path, size_t size)
{
	size_t n = v->result.on_directory ? parent_length(v->path) : strlen(v->path);

	if (requires_other_path(v))
		return !v->result.on_directory && find_other_path(v, path, size);
	/* A name such as "-f" would be an option. */
	return n ? write_cure(path, size, "%s%.*s", *v->path == '-' ? "./" : "", (int)n, v->path)
		 : write_cure(path, size, ".");
}

/* The descriptor of the place is that of the file. Its directory is the one that still has it. */
static bool find_directory_id(const struct verdict *v, const char *path, struct file_id *id)
{
	AUTO_CLOSE int directory = open_process_path(v->subject->pid, path);
	const char *slash = strrchr(v->path, '/');
	AUTO_CLOSE int file = directory < 0 ? -1
					    : idm_sys_openat(directory, slash ? slash + 1 : v->path,
							     O_PATH | O_NOFOLLOW, 0);

	return file >= 0 && idm_is_same_inode(file, v->place->fd) && find_file_id(directory, id) == 0;
}

static bool is_in_podman_unshare(void)
{
	return getenv("_CONTAINERS_USERNS_CONFIGURED") && !idm_in_initial_userns();
}

/* By the other path the file is on another mount. */
static bool find_id_by_path(const struct verdict *v, const char *path, struct file_id *id)
{
	AUTO_CLOSE int file = open_process_path(0, path);

	return file >= 0 && idm_is_same_inode(file, v->place->fd) && find_file_id(file, id) == 0;
}

/* podman unshare can have another mount namespace when the cure is pasted. */
static bool find_cured_id(const struct verdict *v, const char *path, struct file_id *id)
{
	bool is_found = v->result.on_directory	 ? find_directory_id(v, path, id)
			: requires_other_path(v) ? find_id_by_path(v, path, id)
						 : find_file_id(v->place->fd, id) == 0;

	if (!v->subject->pid && is_in_podman_unshare())
		id->mount = 0;
	return is_found;
}

/*
 * A command that changes the inode of the rule, or the flag of it that is to be cleared. The process of
 * a container can replace the file before the command runs, by a link to a file of the host. So "idmount
 * cure" finds it there.
 */
static bool write_file_cure(const struct verdict *v, const char *command, const char *flag, char *text,
			    size_t size)
{
	char path[VERDICT_TEXT], word[VERDICT_TEXT], pid[32] = "", number[FILE_ID_TEXT];
	struct file_id id;

	if (!copy_refusing_path(v, path, sizeof(path)) || !quote_word(path, word, sizeof(word)))
		return false;
	if (!v->subject->pid && !v->is_exposed && !requires_other_path(v))
		return write_cure(text, size, "%s %s", command, word);
	if (!find_cured_id(v, path, &id))
		return false;
	format_file_id(&id, number);
	if (v->subject->pid && !requires_other_path(v))
		snprintf(pid, sizeof(pid), "--pid %d ", (int)v->subject->pid);
	return flag ? write_cure(text, size, "idmount cure %s--file %s --clear %s %s", pid, number, flag,
				 word)
		    : write_cure(text, size, "idmount cure %s--file %s %s %s", pid, number, word,
				 command);
}

static bool change_file(const struct verdict *v, const char *command, char *text, size_t size)
{
	return write_file_cure(v, command, NULL, text, size);
}

static bool change_owner(const struct verdict *v, char *text, size_t size)
{
	char command[32];

	return describe_new_owner(v, command, sizeof(command)) && change_file(v, command, text, size);
}

/* ---- permissions ---- */

/* A change of a directory requires both bits, and the kernel looks for them one after the other. */
static unsigned int missing_bits(const struct verdict *v)
{
	bool changes = v->facts.access == IDM_ACCESS_CREATE || v->facts.access == IDM_ACCESS_UNLINK;

	return v->result.missing | (changes ? 3U : 0);
}

/* An ACL entry replaces the permissions that the process has without it. */
static unsigned int allowed_bits(const struct verdict *v)
{
	static const enum idm_access accesses[] = { IDM_ACCESS_READ, IDM_ACCESS_WRITE,
						    IDM_ACCESS_EXECUTE };
	struct idm_explain_options facts = v->facts;
	unsigned int bits = 0;

	facts.attr = 0;
	facts.fs_readonly = false;
	if (v->result.on_directory)
		facts.inode = facts.directory;
	for (unsigned int i = 0; i < 3; i++) {
		struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

		facts.access = accesses[i];
		if (idm_explain(&facts, &result, NULL) == 0 && !result.rule)
			bits |= 4U >> i;
	}
	return bits;
}

/* An entry of a second cure replaces that of the first one, so each has the bits for all accesses. */
static unsigned int other_missing_bits(const struct verdict *v)
{
	struct verdict other = *v;
	unsigned int bits = 0;

	for (enum idm_access access = IDM_ACCESS_READ; access <= IDM_ACCESS_CREATE; access++) {
		other.facts.access = access;
		other.result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
		if (v->accesses >> access & 1 && idm_explain(&other.facts, &other.result, NULL) == 0 &&
		    other.result.rule == IDM_RULE_PERMISSION)
			bits |= missing_bits(&other);
	}
	return bits;
}

/* ---- access control lists ---- */

/* The bits that the mask hides from other users and groups. */
static unsigned int find_masked_bits(const struct verdict *v, unsigned int mask)
{
	const struct idm_explain_inode *inode = refusing_inode(v);
	unsigned int bits = inode->acl_group;

	for (size_t i = 0; i < inode->n_acl; i++)
		if (!is_acl_entry_of(v, &inode->acl[i], IDM_UID, v->facts.fsuid))
			bits |= inode->acl[i].permissions;
	return inode->flags & IDM_INODE_ACL ? bits & ~mask : 0;
}

/* setfacl(1) writes all entries back. The kernel refuses those that it shows with an unknown ID. */
static bool has_unknown_entry(const struct idm_explain_inode *inode)
{
	for (size_t i = 0; i < inode->n_acl; i++)
		if (inode->acl[i].id == IDM_EXPLAIN_NO_ID)
			return true;
	return false;
}

static bool has_userxattr(const struct verdict *v)
{
	struct layer_file file;

	find_layer_file(v, &file);
	free_layer_file(&file);
	return file.userxattr;
}

/* An ACL has no entry for a user whom the mount has no disk ID for. */
static bool has_disk_id(const struct verdict *v)
{
	uint32_t disk;

	return !v->facts.mount_map ||
	       idm_map_to_disk(v->facts.mount_map, IDM_UID, v->facts.fsuid, &disk) == 0;
}

/*
 * Not each filesystem has ACLs. Its user namespace has to have the user. In an overlay of a container,
 * the mounter has to be able to copy the file and to change it.
 */
static bool takes_acl_entry(const struct verdict *v)
{
	uint32_t inside;
	char list[4];

	if (!has_disk_id(v))
		return false;
	if (v->facts.fs_map && !v->facts.mount_map &&
	    idm_map_to_disk(v->facts.fs_map, IDM_UID, v->facts.fsuid, &inside) < 0)
		return false;
	if (is_on_overlay(v) && has_userxattr(v))
		return false;
	/* The rule is about its directory, but the descriptor is the link's. */
	if (S_ISLNK(v->facts.inode->mode))
		return true;
	return idm_sys_getxattr(v->place->fd, "system.posix_acl_access", list, sizeof(list)) !=
	       -EOPNOTSUPP;
}

/* The other path to a file on a read-only mount is on one without a map. */
static uint32_t find_entry_user(const struct verdict *v)
{
	uint32_t id = v->facts.fsuid;

	if (v->facts.mount_map && requires_other_path(v))
		(void)idm_map_to_disk(v->facts.mount_map, IDM_UID, v->facts.fsuid, &id);
	return id;
}

/* A wider mask would permit to others what it hides. setfacl(1) keeps the mask with -n only. */
static bool add_acl_entry(const struct verdict *v, unsigned int bits, char *text, size_t size)
{
	unsigned int mask = refusing_inode(v)->mode >> 3 & 7;
	bool hides = find_masked_bits(v, mask) != 0;
	char added[4], command[64];

	if (v->place->unseen & IDM_UNSEEN_ACL || !takes_acl_entry(v) ||
	    has_unknown_entry(refusing_inode(v)) || (hides && bits & ~mask))
		return false;
	write_bits(bits, added);
	snprintf(command, sizeof(command), "setfacl %s-m u:%u:%s", hides ? "-n " : "",
		 find_entry_user(v), added);
	return change_file(v, command, text, size);
}

static bool add_bits(const struct verdict *v, unsigned int bits, char *text, size_t size)
{
	unsigned int others = v->result.on_directory ? 0 : other_missing_bits(v);

	bits |= allowed_bits(v);
	return add_acl_entry(v, bits | others, text, size) || add_acl_entry(v, bits, text, size);
}

/* Another command would be needed first. */
static bool is_unchangeable(const struct verdict *v)
{
	return v->facts.fs_readonly ||
	       refusing_inode(v)->flags & (IDM_INODE_IMMUTABLE | IDM_INODE_APPEND);
}

static bool change_permission(const struct verdict *v, char *text, size_t size)
{
	char bits[4], command[16];

	/* In the caller's user namespace no process can change such a file. */
	if (is_hidden_id(refusing_inode(v)->uid) || may_lack_owner(v))
		return false;
	if (is_refusing_inode_unmapped(v))
		return describe_larger_map(v, text, size);
	if (is_unchangeable(v))
		return false;
	if (v->result.entry != IDM_CLASS_OWNER)
		return has_disk_id(v) && add_bits(v, missing_bits(v), text, size);
	write_bits(missing_bits(v), bits);
	snprintf(command, sizeof(command), "chmod u+%s", bits);
	return change_file(v, command, text, size);
}

/*
 * The IDs of the caller are those of podman's user namespace. The command that started this one has left
 * it when the cure is pasted. From inside, the prefix changes nothing.
 */
static bool enter_podman(char *text, size_t size)
{
	char cure[VERDICT_TEXT];

	if (!is_in_podman_unshare())
		return true;
	return write_cure(cure, sizeof(cure), "%s", text) &&
	       write_cure(text, size, "podman unshare %s", cure);
}

bool describe_suid_cure(const struct verdict *v, char *text, size_t size)
{
	return describe_remount(v, IDM_ATTR_NOSUID, text, size) && enter_podman(text, size);
}

bool cure_requires_root(const struct verdict *v)
{
	return geteuid() != 0 &&
	       (v->result.rule != IDM_RULE_PERMISSION || refusing_inode(v)->uid != geteuid());
}

static bool choose_cure(const struct verdict *v, char *text, size_t size)
{
	if (v->is_unknown)
		return false;
	switch (v->result.rule) {
	case IDM_RULE_PERMISSION:
		return change_permission(v, text, size);
	case IDM_RULE_UNMAPPED_OWNER:
	case IDM_RULE_UNMAPPED_NEW_ID:
		return describe_larger_map(v, text, size);
	case IDM_RULE_FILESYSTEM_READONLY:
		return describe_writable_filesystem(v, text, size);
	case IDM_RULE_MOUNT_READONLY:
		return describe_remount(v, IDM_ATTR_RDONLY, text, size);
	case IDM_RULE_NODEV:
		/* A filesystem of a user namespace has no devices, whatever its mount has. */
		return !v->facts.fs_map && describe_remount(v, IDM_ATTR_NODEV, text, size);
	case IDM_RULE_NOEXEC:
		return describe_remount(v, IDM_ATTR_NOEXEC, text, size);
	case IDM_RULE_NOSYMFOLLOW:
		return describe_remount(v, IDM_ATTR_NOSYMFOLLOW, text, size);
	case IDM_RULE_IMMUTABLE:
		return write_file_cure(v, "chattr -i", "i", text, size);
	case IDM_RULE_APPEND_ONLY:
		return write_file_cure(v, "chattr -a", "a", text, size);
	case IDM_RULE_CHANGE_OWNER:
	case IDM_RULE_CHANGE_GROUP:
		return change_owner(v, text, size);
	default:
		return false;
	}
}

bool describe_cure(const struct verdict *v, char *text, size_t size)
{
	return choose_cure(v, text, size) && enter_podman(text, size);
}
