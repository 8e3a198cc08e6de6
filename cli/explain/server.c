// SPDX-License-Identifier: MIT
/*
 * Filesystems whose server decides. FUSE checks no permission without the option default_permissions. It
 * admits only the user who mounted it without allow_other. The server of NFS checks all by itself.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "mount-rows.h"

/* ---- options ---- */

/* Whether a list such as "rw,user_id=0" has the word. */
static bool has_option_word(const char *options, const char *word)
{
	size_t n = strlen(word);

	for (const char *option = options; option; option = strchr(option, ',')) {
		option += *option == ',';
		if (strncmp(option, word, n) == 0 && (!option[n] || option[n] == ','))
			return true;
	}
	return false;
}

static bool find_option_number(const char *options, const char *key, uint32_t *number)
{
	const char *option = strstr(options, key);

	return option && sscanf(option + strlen(key), "%u", number) == 1;
}

/* ---- FUSE ---- */

/* fuse_allow_current_process(). Of the process's three users and groups, the facts have one each. */
static bool is_admitted_by_fuse(const struct verdict *v, const char *options)
{
	uint32_t uid, gid;

	if (has_option_word(options, "allow_other") || v->facts.fs_map ||
	    !find_option_number(options, ",user_id=", &uid) ||
	    !find_option_number(options, ",group_id=", &gid))
		return true;
	return v->facts.fsuid == uid && v->facts.fsgid == gid;
}

/* ---- what the kernel leaves to the server ---- */

/* The kernel refuses by these itself, before it asks the filesystem. */
static bool is_rule_of_server(enum idm_access_rule rule)
{
	return rule == IDM_RULE_PERMISSION || rule == IDM_RULE_NOT_OWNER ||
	       rule == IDM_RULE_CHANGE_OWNER || rule == IDM_RULE_CHANGE_GROUP;
}

/* Lookups are allowed, and the server answers them. */
static bool is_search_of_directory(const struct verdict *v)
{
	return S_ISDIR(v->facts.inode->mode) && v->facts.access == IDM_ACCESS_EXECUTE;
}

static void leave_to_server(struct verdict *v)
{
	if (v->result.errnum && !is_rule_of_server(v->result.rule))
		return;
	v->is_unknown = v->result.errnum || (v->place->is_last && !is_search_of_directory(v));
	v->doubt = "the server of the filesystem permits it";
}

/* The server of NFS makes root another user, and can have an ACL that the client does not see. */
static void doubt_remote(struct verdict *v)
{
	bool is_refused = v->result.errnum && is_rule_of_server(v->result.rule);

	if (!is_refused && (v->result.errnum || v->result.capability < 0))
		return;
	v->is_unknown = true;
	v->doubt = "the server of the filesystem permits it";
}

static void doubt_fuse(struct verdict *v)
{
	AUTO_FREE char *options = read_super_options(v);

	if (options && !is_admitted_by_fuse(v, options)) {
		refuse_for_reason(v, EACCES,
				  "the FUSE filesystem admits only the user who mounted it (no allow_other)");
		return;
	}
	if (!options || !has_option_word(options, "default_permissions"))
		leave_to_server(v);
}

/* A server of FUSE that refuses statfs(2) is one all the same. */
static uint32_t magic_of(const struct verdict *v)
{
	struct statfs fs;

	return idm_sys_fstatfs(v->place->fd, &fs) < 0 ? FUSE_SUPER_MAGIC : (uint32_t)fs.f_type;
}

void doubt_server(struct verdict *v)
{
	uint32_t magic;

	if (v->is_unknown || !(v->place->unseen & IDM_UNSEEN_SERVER) ||
	    v->facts.access == IDM_ACCESS_FOLLOW)
		return;
	magic = magic_of(v);
	if (magic == FUSE_SUPER_MAGIC)
		doubt_fuse(v);
	else if (magic == NFS_SUPER_MAGIC || magic == AFS_FS_MAGIC)
		doubt_remote(v);
}
