// SPDX-License-Identifier: MIT
#include "nss.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"

/* A group with many members needs space. More than this is an error of the name service. */
#define MOST_ROOM (16U << 20)

/* POSIX lets "not found" be any of these; glibc documents them in getpwnam(3). */
static int convert_nss_errno(int e)
{
	return e == 0 || e == ENOENT || e == ESRCH || e == EBADF || e == EPERM ? -ENOENT : -e;
}

/* One lookup with as much space as it needs. `ask` returns what getpwnam_r(3) and its like return. */
static int ask_with_buffer(int (*ask)(void *what, char *buf, size_t size), void *what)
{
	for (size_t size = 1024; size <= MOST_ROOM; size *= 4) {
		AUTO_FREE char *buf = malloc(size);
		int e;

		if (!buf)
			return -ENOMEM;
		do
			e = ask(what, buf, size);
		while (e == EINTR);
		if (e != ERANGE)
			return e <= 0 ? e : convert_nss_errno(e);
	}
	return -ERANGE;
}

struct user_query {
	const char *name;
	struct idm_ids *ids;
};

static int ask_user(void *what, char *buf, size_t size)
{
	struct user_query *q = what;
	struct passwd pw, *found;
	int e = getpwnam_r(q->name, &pw, buf, size, &found);

	if (e == 0 && !found)
		return ENOENT;
	if (e == 0)
		*q->ids = (struct idm_ids){ pw.pw_uid, pw.pw_gid };
	return e;
}

int idm_nss_find_user(const char *name, struct idm_ids *ids)
{
	return ask_with_buffer(ask_user, &(struct user_query){ name, ids });
}

struct group_query {
	const char *name;
	uint32_t *gid;
};

static int ask_group(void *what, char *buf, size_t size)
{
	struct group_query *q = what;
	struct group gr, *found;
	int e = getgrnam_r(q->name, &gr, buf, size, &found);

	if (e == 0 && !found)
		return ENOENT;
	if (e == 0)
		*q->gid = gr.gr_gid;
	return e;
}

int idm_nss_find_group(const char *name, uint32_t *gid)
{
	return ask_with_buffer(ask_group, &(struct group_query){ name, gid });
}

/* For an empty list, the name service returns the number. A group can be added in between. */
static int list_groups(const char *name, uint32_t gid, gid_t **list, int *n)
{
	int needed = 0;

	while (getgrouplist(name, gid, *list, &needed) < 0) {
		if (needed <= *n)
			return -EIO;
		free(*list);
		*list = calloc((size_t)needed, sizeof(**list));
		if (!*list)
			return -ENOMEM;
		*n = needed;
	}
	*n = needed;
	return 0;
}

int idm_nss_find_groups(const char *name, uint32_t gid, uint32_t **groups, size_t *n)
{
	AUTO_FREE gid_t *list = NULL;
	int found = 0, r = list_groups(name, gid, &list, &found);

	for (int i = 0; r == 0 && list && i < found; i++) {
		uint32_t *group = idm_array_append(groups, n, sizeof(*group));

		if (!group)
			return -ENOMEM;
		*group = list[i];
	}
	return r;
}

struct name_query {
	uint32_t uid;
	char *name;
	size_t size;
};

static int ask_user_name(void *what, char *buf, size_t size)
{
	struct name_query *q = what;
	struct passwd pw, *found;
	int e = getpwuid_r(q->uid, &pw, buf, size, &found);

	if (e == 0 && !found)
		return ENOENT;
	if (e == 0 && (size_t)snprintf(q->name, q->size, "%s", pw.pw_name) >= q->size)
		return -ENAMETOOLONG;
	return e;
}

int idm_nss_find_name(uint32_t uid, char *name, size_t size)
{
	return ask_with_buffer(ask_user_name, &(struct name_query){ uid, name, size });
}

int idm_nss_find_caller(char *name, size_t size)
{
	return idm_nss_find_name(getuid(), name, size);
}
