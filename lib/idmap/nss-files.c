// SPDX-License-Identifier: MIT
/*
 * Names from /etc/passwd and /etc/group alone, in place of nss.c: the name service consists of shared
 * objects, which a static program cannot load. It has one thread that asks.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "nss.h"

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define AUTO_FILE __attribute__((cleanup(close_file)))

/* The reason why there is no file, or no entry in it. */
static int get_no_entry_errno(const FILE *file)
{
	return file || errno == ENOENT ? -ENOENT : -errno;
}

int idm_nss_find_user(const char *name, struct idm_ids *ids)
{
	AUTO_FILE FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *p = NULL;

	while (file && (p = fgetpwent(file)) && strcmp(p->pw_name, name) != 0)
		;
	if (!p)
		return get_no_entry_errno(file);
	*ids = (struct idm_ids){ p->pw_uid, p->pw_gid };
	return 0;
}

int idm_nss_find_group(const char *name, uint32_t *gid)
{
	AUTO_FILE FILE *file = fopen("/etc/group", "re");
	const struct group *g = NULL;

	while (file && (g = fgetgrent(file)) && strcmp(g->gr_name, name) != 0)
		;
	if (!g)
		return get_no_entry_errno(file);
	*gid = g->gr_gid;
	return 0;
}

static bool has_group_member(const struct group *g, const char *name)
{
	for (char *const *member = g->gr_mem; *member; member++)
		if (strcmp(*member, name) == 0)
			return true;
	return false;
}

static int append_group(uint32_t gid, uint32_t **groups, size_t *n)
{
	uint32_t *group = idm_array_append(groups, n, sizeof(*group));

	if (!group)
		return -ENOMEM;
	*group = gid;
	return 0;
}

int idm_nss_find_groups(const char *name, uint32_t gid, uint32_t **groups, size_t *n)
{
	AUTO_FILE FILE *file = fopen("/etc/group", "re");
	int r = append_group(gid, groups, n);
	const struct group *g;

	while (r == 0 && file && (g = fgetgrent(file)))
		if (g->gr_gid != gid && has_group_member(g, name))
			r = append_group(g->gr_gid, groups, n);
	return r;
}

int idm_nss_find_name(uint32_t uid, char *name, size_t size)
{
	AUTO_FILE FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *p = NULL;

	while (file && (p = fgetpwent(file)) && p->pw_uid != uid)
		;
	if (!p)
		return get_no_entry_errno(file);
	return (size_t)snprintf(name, size, "%s", p->pw_name) >= size ? -ENAMETOOLONG : 0;
}

int idm_nss_find_caller(char *name, size_t size)
{
	return idm_nss_find_name(getuid(), name, size);
}
