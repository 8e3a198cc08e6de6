// SPDX-License-Identifier: MIT
/* Users by name are those of the root filesystem: its own /etc/passwd and /etc/group. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "oci/open-inside.h"
#include "run.h"

/* More is not read: a line of any length would be kept in memory. */
#define MOST_BYTES (16L << 20)

static bool is_plain_inside(int root, const char *path)
{
	int fd = open_inside(root, path, O_PATH);
	struct stat st;
	bool plain = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MOST_BYTES;

	if (fd >= 0)
		close(fd);
	return plain;
}

/* Opens plain files only: a device may react to an open, or never end. */
static FILE *open_in_root(int root, const char *path)
{
	int fd = is_plain_inside(root, path) ? open_inside(root, path, O_RDONLY | O_NONBLOCK) : -1;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

/* An ID in decimal. */
static bool parse_id(const char *text, uint32_t *id)
{
	unsigned long n;
	char *end;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	*id = (uint32_t)n;
	return !errno && n < UINT32_MAX;
}

/* By name or by number; false if it does not exist. */
static bool find_account(int root, const char *name, struct run_user *user)
{
	FILE *file = open_in_root(root, "etc/passwd");
	bool number = parse_id(name, &user->uid), found = false;
	struct passwd *p;

	while (file && !found && (p = fgetpwent(file))) {
		if (number ? p->pw_uid != user->uid : strcmp(p->pw_name, name) != 0)
			continue;
		user->uid = p->pw_uid;
		user->gid = p->pw_gid;
		snprintf(user->home, sizeof(user->home), "%s", p->pw_dir);
		found = true;
	}
	if (file)
		fclose(file);
	return found || number;
}

static bool find_group(int root, const char *name, uint32_t *gid)
{
	FILE *file;
	struct group *g;
	bool found = false;

	if (parse_id(name, gid))
		return true;
	file = open_in_root(root, "etc/group");
	while (file && !found && (g = fgetgrent(file))) {
		found = strcmp(g->gr_name, name) == 0;
		*gid = g->gr_gid;
	}
	if (file)
		fclose(file);
	return found;
}

static int check_mapped(const struct run_request *q, const struct run_user *user)
{
	uint32_t seen;

	if (idm_map_to_seen(q->maps.map, IDM_UID, user->uid, &seen) < 0)
		return report_usage("--user %s: the map has no ID for user %u", q->user, user->uid);
	if (idm_map_to_seen(q->maps.map, IDM_GID, user->gid, &seen) < 0)
		return report_usage("--user %s: the map has no ID for group %u", q->user, user->gid);
	return DONE;
}

int run_find_user(const struct run_request *q, int root, struct run_user *user)
{
	char *name, *group;
	int status = DONE;

	*user = (struct run_user){ .home = "/" };
	if (!q->user) {
		find_account(root, "0", user);
		user->gid = 0;
		return DONE;
	}
	name = strdup(q->user);
	if (!name)
		return out_of_memory();
	group = strchr(name, ':');
	if (group)
		*group++ = '\0';
	if (!*name || !find_account(root, name, user))
		status = report_usage("--user %s: the root filesystem has no user %s", q->user, name);
	else if (group && !find_group(root, group, &user->gid))
		status = report_usage("--user %s: the root filesystem has no group %s", q->user, group);
	free(name);
	return status == DONE ? check_mapped(q, user) : status;
}
