// SPDX-License-Identifier: MIT
#include "exposure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "report.h"

/* ---- reach ---- */

/*
 * A user can be in any group, so both together keep the way open. The owner of the programs gains
 * nothing by them. A group with the owner's number has no other member, as a rule.
 */
static void narrow(struct reach *r, const struct stat *st, uid_t owner)
{
	uid_t user = st->st_mode & S_IXUSR && st->st_uid != owner ? st->st_uid : 0;
	gid_t group = st->st_mode & S_IXGRP && st->st_gid != owner ? st->st_gid : 0;

	if (st->st_mode & S_IXOTH)
		return;
	if (r->everybody) {
		*r = (struct reach){ .user = user, .group = group };
		return;
	}
	if (!r->user || (r->user != user && !group))
		r->user = r->group ? user : 0;
	if (!group)
		r->group = 0;
}

static bool is_reachable(const struct reach *r)
{
	return r->everybody || r->user || r->group;
}

/* From the directory up to the root. Closes the descriptor. */
static struct reach reach_of(int fd, uid_t owner)
{
	struct reach reach = { .everybody = true };
	struct stat st, above;

	while (fd >= 0 && fstat(fd, &st) == 0 && is_reachable(&reach)) {
		int parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		narrow(&reach, &st, owner);
		close(fd);
		fd = parent;
		if (fd >= 0 && fstat(fd, &above) == 0 && above.st_dev == st.st_dev &&
		    above.st_ino == st.st_ino)
			break;
	}
	if (fd >= 0)
		close(fd);
	return reach;
}

/* Through the mount, the owner of a directory changes its mode. */
static bool is_changeable(int directory, const struct idm_map *map)
{
	struct stat st;
	uint32_t seen;

	return fstat(directory, &st) < 0 || idm_map_to_seen(map, IDM_UID, st.st_uid, &seen) == 0;
}

/* Opens the first directory whose mode counts: the place itself only if its mode cannot be changed. */
static int open_exposed_directory(int fd, const struct idm_map *map)
{
	char link[64], path[PATH_MAX];
	ssize_t n;
	int directory = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (directory >= 0 && is_changeable(directory, map)) {
		close(directory);
		directory = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (directory >= 0)
		return directory;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || *path != '/')
		return -1;
	path[n] = '\0';
	strrchr(path, '/')[1] = '\0';
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* ---- files that can be stored ---- */

static bool is_run_with_its_owner(const struct statvfs *mount)
{
	return !(mount->f_flag & (ST_NOSUID | ST_NOEXEC));
}

static bool is_writable(const struct statvfs *mount, const struct mount_options *mount_options)
{
	if (mount_options->set & IDM_ATTR_RDONLY)
		return false;
	return !(mount->f_flag & ST_RDONLY) || mount_options->clear & IDM_ATTR_RDONLY;
}

static struct reach find_reach(int fd, const struct idm_map *map,
			       const struct mount_options *mount_options, uid_t owner)
{
	struct statvfs mount;

	if (fstatvfs(fd, &mount) < 0 || !is_run_with_its_owner(&mount) ||
	    !is_writable(&mount, mount_options))
		return (struct reach){ 0 };
	return reach_of(open_exposed_directory(fd, map), owner);
}

void look_for_exposure(struct exposed *found, const struct idm_path *place, const struct idm_map *map,
		       const struct mount_options *mount_options)
{
	struct reach reach;
	uint32_t seen;
	int fd;

	if (!map || idm_map_to_seen(map, IDM_UID, found->owner, &seen) < 0 || seen == found->owner)
		return;
	fd = openat(place->dirfd, place->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	reach = find_reach(fd, map, mount_options, found->owner);
	close(fd);
	if (!is_reachable(&reach))
		return;
	if (found->path)
		found->more++;
	else
		*found = (struct exposed){ found->owner, place->path, seen, reach, 0 };
}

/* ---- the report ---- */

static const char *name_reach(const struct reach *reach, char *buf, size_t size)
{
	if (reach->everybody)
		return "every user";
	if (reach->user)
		snprintf(buf, size, "user %u", reach->user);
	else
		snprintf(buf, size, "group %u", reach->group);
	return buf;
}

void report_exposed(const struct exposed *found)
{
	char name[32], owner[32] = "root", more[48] = "";

	if (!found->path)
		return;
	if (found->more)
		snprintf(more, sizeof(more), " (and %zu more place%s)", found->more,
			 found->more == 1 ? "" : "s");
	if (found->owner)
		snprintf(owner, sizeof(owner), "user %u", found->owner);
	report_note(
		"%s%s: user %u can store set-user-ID programs of %s there, and %s can run them; put it "
		"below a directory of mode 0700, or on a mount that is nosuid",
		found->path, more, found->seen, owner, name_reach(&found->reach, name, sizeof(name)));
}
