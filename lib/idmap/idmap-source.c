// SPDX-License-Identifier: MIT
/* Where the text of a map comes from: itself, a user namespace, or the subordinate IDs of a user. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"
#include "nss.h"

static const enum idm_error_step step_parse = IDM_STEP_PARSE_MAP;

/* Opens again, to read, the file behind an O_PATH descriptor. */
static int open_found_userns(int found, const char *path, struct idm_error *err)
{
	AUTO_CLOSE int procfs = idm_procfs_root(err);
	char link[40];
	int fd;

	if (procfs < 0)
		return procfs;
	snprintf(link, sizeof(link), "thread-self/fd/%d", found);
	fd = idm_sys_openat(procfs, link, O_RDONLY | O_NONBLOCK, 0);
	return fd < 0 ? idm_fail_errno(err, fd, IDM_STEP_OPEN_USERNS, path) : fd;
}

/*
 * The path may be another user's, or a mistake. Opening some devices has effects: a watchdog resets the
 * machine later, a tape is wound. So nothing but a namespace is opened.
 */
static int open_userns_path(const char *path, struct idm_error *err)
{
	AUTO_CLOSE int found = idm_sys_openat(AT_FDCWD, path, O_PATH, 0);

	if (found < 0)
		return idm_fail_errno(err, found, IDM_STEP_OPEN_USERNS, path);
	if (!idm_is_namespace(found))
		return idm_fail(err, -EINVAL, IDM_STEP_READ_USERNS, path,
				"the file is not a user namespace");
	return open_found_userns(found, path, err);
}

static int parse_userns_path(struct idm_map *map, const char *path, struct idm_error *err)
{
	AUTO_CLOSE int fd = open_userns_path(path, err);
	int r;

	if (fd < 0)
		return fd;
	r = idm_map_add_userns(map, fd, err);
	if (r < 0)
		idm_subject(err, path);
	return r;
}

/* Of the user outside of the namespace only the number is known. */
static void hint_namespace_user(const char *name, struct idm_error *err)
{
	if (!idm_in_initial_userns())
		idm_hint(err,
			 "in this user namespace \"auto\" means its user %s; write the map in numbers",
			 name);
}

static int parse_auto(struct idm_map *map, const char *owner, struct idm_error *err)
{
	char name[256];
	int r;

	if (*owner)
		return idm_map_add_subid(map, owner, err);
	r = idm_nss_find_caller(name, sizeof(name));
	if (r < 0)
		return idm_fail(err, r, step_parse, "auto", "the caller's uid has no user name");
	r = idm_map_add_subid(map, name, err);
	if (r == -ENOENT)
		hint_namespace_user(name, err);
	return r;
}

int idm_map_parse(struct idm_map *map, const char *text, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	bool path = text[0] == '/', lookup = flags & IDM_MAP_PARSE_LOOKUP;
	bool automatic = strcmp(text, "auto") == 0 || strncmp(text, "auto:", 5) == 0;
	int r = idm_check_flags(flags, IDM_MAP_PARSE_LOOKUP, step_parse, NULL, err);

	if (r < 0)
		return r;
	if ((path || automatic) && !lookup)
		return idm_fail(err, -EINVAL, step_parse, text,
				"expected entries in numbers, got a path or \"auto\"");
	if (path)
		return parse_userns_path(map, text, err);
	if (automatic)
		return parse_auto(map, text[4] ? text + 5 : "", err);
	return idm_map_parse_text(map, text, lookup, err);
}
