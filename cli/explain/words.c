// SPDX-License-Identifier: MIT
/* The reason why an access is refused, as a text. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/sys/capability.h"
#include "layer.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"

const char *access_word(enum idm_access access, bool is_directory)
{
	static const char *const words[] = {
		[IDM_ACCESS_READ] = "read",	[IDM_ACCESS_WRITE] = "write",
		[IDM_ACCESS_EXECUTE] = "exec",	[IDM_ACCESS_CREATE] = "create",
		[IDM_ACCESS_UNLINK] = "unlink", [IDM_ACCESS_CHMOD] = "chmod",
		[IDM_ACCESS_CHOWN] = "chown",	[IDM_ACCESS_FOLLOW] = "follow",
		[IDM_ACCESS_OVERWRITE] = "write",
	};

	return is_directory && access == IDM_ACCESS_EXECUTE ? "search" : words[access];
}

bool is_hidden_id(uint32_t id)
{
	return id == IDM_EXPLAIN_NO_ID - 1 && !idm_in_initial_userns();
}

const char *type_word(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "regular file";
	case S_IFLNK:
		return "symbolic link";
	case S_IFCHR:
	case S_IFBLK:
		return "device";
	case S_IFIFO:
		return "pipe";
	case S_IFSOCK:
		return "socket";
	default:
		return "directory";
	}
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format,
							 ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, size - n, format, args);
	va_end(args);
}

/* ---- permissions ---- */

void write_bits(unsigned int bits, char text[4])
{
	snprintf(text, 4, "%s%s%s", bits & 4 ? "r" : "", bits & 2 ? "w" : "", bits & 1 ? "x" : "");
}

static void append_class(const struct verdict *v, char *text, size_t size)
{
	uint32_t id = v->result.entry_id;

	switch (v->result.entry) {
	case IDM_CLASS_OWNER:
		append(text, size, "the mode of the owner, %u,", id);
		break;
	case IDM_CLASS_ACL_USER:
		append(text, size, "the ACL entry of user %u", id);
		break;
	case IDM_CLASS_GROUP:
		append(text, size, "the mode of the group, %u,", id);
		break;
	case IDM_CLASS_ACL_GROUP:
		append(text, size, "the ACL entry of group %u", id);
		break;
	default:
		append(text, size, "the mode of others");
	}
}

static bool is_unmapped(const struct verdict *v)
{
	return v->result.uid == IDM_EXPLAIN_NO_ID || v->result.gid == IDM_EXPLAIN_NO_ID;
}

/* Whether the entry has all that is missing, and the mask of the list removes it. */
static bool is_masked(const struct verdict *v)
{
	const struct idm_explain_inode *inode = refusing_inode(v);
	const uint32_t kind = v->result.entry == IDM_CLASS_ACL_USER ? IDM_UID : IDM_GID;

	if (v->result.entry != IDM_CLASS_ACL_USER && v->result.entry != IDM_CLASS_ACL_GROUP)
		return false;
	for (size_t i = 0; i < inode->n_acl; i++)
		if (is_acl_entry_of(v, &inode->acl[i], kind, v->result.entry_id))
			return !(v->result.missing & ~inode->acl[i].permissions);
	return false;
}

/* The kernel then judges as if there were no ACL. */
static bool has_empty_mask(const struct verdict *v)
{
	const struct idm_explain_inode *inode = refusing_inode(v);

	return inode->flags & IDM_INODE_ACL && !(inode->mode & S_IRWXG) &&
	       v->result.entry != IDM_CLASS_OWNER;
}

static void append_permission(const struct verdict *v, char *text, size_t size)
{
	char bits[4];

	write_bits(v->result.missing, bits);
	if (is_masked(v)) {
		append(text, size, "the mask of the ACL removes %s from ", bits);
		append_class(v, text, size);
		return;
	}
	if (has_empty_mask(v))
		append(text, size, "the mask of the ACL is empty, so no entry of it counts; ");
	append_class(v, text, size);
	append(text, size, " lacks %s", bits);
}

const char *lost_owner_text(const struct verdict *v)
{
	if (v->place->mount && v->place->mount->map_state != IDM_MAP_NONE)
		return "the mount does not map";
	return is_on_overlay(v) ? "the map of its layer does not have"
				: "the user namespace that mounted the filesystem does not have";
}

static void append_useless_capability(const struct verdict *v, char *text, size_t size)
{
	if (is_unmapped(v))
		append(text, size, "; capabilities do not count, since %s the owner or group",
		       lost_owner_text(v));
	else
		append(text, size,
		       "; capabilities do not count, since the user namespace of the process "
		       "does not have the owner or group");
}

/* ---- IDs ---- */

static void append_ids(const struct verdict *v, const char *nouns[2], uint32_t uid, uint32_t gid,
		       char *text, size_t size)
{
	if (v->result.kinds & IDM_UID)
		append(text, size, " %s", nouns[0]);
	if (v->result.kinds & IDM_UID && uid != IDM_EXPLAIN_NO_ID)
		append(text, size, " %u", uid);
	if (v->result.kinds == IDM_BOTH)
		append(text, size, " and");
	if (v->result.kinds & IDM_GID)
		append(text, size, " %s", nouns[1]);
	if (v->result.kinds & IDM_GID && gid != IDM_EXPLAIN_NO_ID)
		append(text, size, " %u", gid);
}

/* Without a map, only the user namespace of the filesystem can lack the ID. */
static const char *new_id_text(const struct verdict *v)
{
	if (v->result.rule == IDM_RULE_UNKNOWN_NEW_ID)
		return "the user namespace of the process does not have";
	return v->facts.mount_map ? "the mount maps no ID on disk to"
				  : "the user namespace that mounted the filesystem does not have";
}

static void append_unmapped(const struct verdict *v, char *text, size_t size)
{
	const char *owners[] = { "the owner", "the group" }, *news[] = { "user", "group" };
	const struct idm_explain_options *facts = &v->facts;
	const struct idm_explain_inode *inode = refusing_inode(v);
	bool creates = facts->access == IDM_ACCESS_CREATE;

	if (v->result.rule == IDM_RULE_UNMAPPED_OWNER) {
		append(text, size, "%s", lost_owner_text(v));
		/* Without a map, the inode has no other owner that could be named. */
		append_ids(v, owners, facts->mount_map ? inode->uid : IDM_EXPLAIN_NO_ID,
			   facts->mount_map ? inode->gid : IDM_EXPLAIN_NO_ID, text, size);
		return;
	}
	append(text, size, "%s", new_id_text(v));
	append_ids(v, news, creates ? facts->fsuid : facts->new_uid,
		   creates ? facts->fsgid : facts->new_gid, text, size);
}

/* ---- texts ---- */

/* Without a default, the compiler reports a rule that has no text. */
static const char *rule_text(enum idm_access_rule rule)
{
	switch (rule) {
	case IDM_RULE_FILESYSTEM_READONLY:
		return "the filesystem is read-only";
	case IDM_RULE_MOUNT_READONLY:
		return "the mount is read-only";
	case IDM_RULE_NODEV:
		return "the mount has nodev";
	case IDM_RULE_NOEXEC:
		return "the mount has noexec";
	case IDM_RULE_NO_PROGRAM:
		return "it is neither a regular file nor a directory";
	case IDM_RULE_IMMUTABLE:
		return "it is immutable";
	case IDM_RULE_APPEND_ONLY:
		return "it can only be appended to";
	case IDM_RULE_STICKY:
		return "the directory is sticky, and another user owns both it and the file";
	case IDM_RULE_NOT_OWNER:
		return "the process does not own it";
	case IDM_RULE_CHANGE_OWNER:
		return "it requires CAP_CHOWN";
	case IDM_RULE_CHANGE_GROUP:
		return "it requires the owner in that group, or CAP_CHOWN";
	case IDM_RULE_NOSYMFOLLOW:
		return "the mount has nosymfollow";
	case IDM_RULE_PROTECTED_LINK:
		return "another user owns this link in a sticky directory, and it ends the path "
		       "(fs.protected_symlinks); use the path of its destination";
	case IDM_RULE_PROTECTED_FILE:
		return "another user owns this file in a sticky directory (fs.protected_regular, "
		       "fs.protected_fifos)";
	case IDM_RULE_NONE:
	case IDM_RULE_PERMISSION:
	case IDM_RULE_UNMAPPED_OWNER:
	case IDM_RULE_UNMAPPED_NEW_ID:
	case IDM_RULE_UNKNOWN_NEW_ID:
		break;
	}
	return "a rule that this command does not know";
}

/* The rules that a capability overrides. The result names it. */
static bool is_about_capability(enum idm_access_rule rule)
{
	return rule == IDM_RULE_PERMISSION || rule == IDM_RULE_STICKY || rule == IDM_RULE_NOT_OWNER ||
	       rule == IDM_RULE_CHANGE_OWNER || rule == IDM_RULE_CHANGE_GROUP;
}

/* The rule is the last one of the write, but for a read-only mount. */
static const char *append_hint(const struct verdict *v)
{
	bool may_append = v->facts.access == IDM_ACCESS_WRITE && !(v->facts.attr & IDM_ATTR_RDONLY);

	return may_append ? "; with O_APPEND, as by >> in a shell, it is written" : "";
}

static void append_doubt(const struct verdict *v, char *text, size_t size)
{
	if (v->is_unknown)
		append(text, size, ", unless %s", v->doubt);
	if (v->other_errnum)
		append(text, size, "; %s, if %s", idm_errno_name(v->other_errnum), v->other_case);
}

void describe_refusal(const struct verdict *v, char *text, size_t size)
{
	*text = '\0';
	if (v->reason) {
		append(text, size, "%s", v->reason);
		append_doubt(v, text, size);
		return;
	}
	if (v->result.on_directory)
		append(text, size, "its directory: ");
	switch (v->result.rule) {
	case IDM_RULE_PERMISSION:
		append_permission(v, text, size);
		break;
	case IDM_RULE_UNMAPPED_OWNER:
	case IDM_RULE_UNMAPPED_NEW_ID:
	case IDM_RULE_UNKNOWN_NEW_ID:
		append_unmapped(v, text, size);
		break;
	case IDM_RULE_APPEND_ONLY:
		append(text, size, "%s%s", rule_text(v->result.rule), append_hint(v));
		break;
	default:
		append(text, size, "%s", rule_text(v->result.rule));
	}
	if (v->result.capable && is_about_capability(v->result.rule))
		append_useless_capability(v, text, size);
	append_doubt(v, text, size);
}

const char *unknown_text(const struct verdict *v)
{
	static const uint32_t bits[] = { IDM_UNSEEN_FS_RULES, IDM_UNSEEN_SERVER };

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (v->place->unseen & bits[i])
			return unseen_text(bits[i]);
	return unseen_text(IDM_UNSEEN_LAYERS);
}

const char *unseen_text(uint32_t bit)
{
	switch (bit) {
	case IDM_UNSEEN_OWNER:
		return "the owner or group on disk is not visible";
	case IDM_UNSEEN_MOUNT:
		return "the mount is not visible";
	case IDM_UNSEEN_MOUNT_MAP:
		return "the map of the mount is not visible, or not all of it (needs Linux 6.15, and its "
		       "IDs in this user namespace)";
	case IDM_UNSEEN_ACL:
		return "the access control list is not readable";
	case IDM_UNSEEN_FLAGS:
		return "the filesystem does not report immutable files";
	case IDM_UNSEEN_FILE_CAPABILITIES:
		return "the capabilities of the file are not readable";
	case IDM_UNSEEN_FS_USERNS:
		return "which user namespace mounted the filesystem, or what the process may do there, is "
		       "not visible";
	case IDM_UNSEEN_LAYERS:
		return "the layers of the overlay also decide";
	case IDM_UNSEEN_SERVER:
		return "the server of the filesystem also decides";
	case IDM_UNSEEN_PROCESS_IDS:
		return "some IDs of the process are not visible from this user namespace";
	case IDM_UNSEEN_ROOT:
		return "the root directory of the process is not visible: the path is that of the caller";
	case IDM_UNSEEN_FS_RULES:
		return "the filesystem is one of the kernel, with rules of its own";
	case IDM_UNSEEN_PROTECTION:
		return "the settings fs.protected_symlinks, fs.protected_regular and fs.protected_fifos are "
		       "not readable";
	case IDM_UNSEEN_LSM:
		return "a security module (AppArmor, SELinux or Smack) also decides";
	default:
		return "another fact is not visible, which this command does not know";
	}
}
