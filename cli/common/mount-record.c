// SPDX-License-Identifier: MIT
#include "mount-record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idmap-options.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "report.h"

#define DIRECTORY "/run/mount.idmap"

/* More than a record with a long path, and a map of as many entries as the kernel accepts. */
#define RECORD_MOST (64UL << 10)

struct identity {
	char *text;    /* of the mount; NULL: it needs no record */
	char name[17]; /* of the file */
};

/* Returns a hash (FNV-1a). Another target with the same one replaces the record, and is not taken for
 * it. */
static uint64_t hash_target(const char *target)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *target; target++)
		hash = (hash ^ (unsigned char)*target) * 0x100000001b3ULL;
	return hash;
}

/* Returns false if this boot has no known ID, because /proc is missing. */
static bool read_boot_id(char boot[40])
{
	AUTO_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : idm_read_all(fd, boot, 39);

	if (n <= 0)
		return false;
	boot[n] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	return true;
}

static int identify_mount(const struct idm_mount_info *mount, void *data)
{
	struct identity *identity = data;
	char boot[40];

	if (mount->map_state != IDM_MAP_UNREADABLE || !read_boot_id(boot))
		return 0;
	snprintf(identity->name, sizeof(identity->name), "%016" PRIx64, hash_target(mount->target));
	if (asprintf(&identity->text,
		     "boot %s\nmount %" PRIu64 " in %" PRIu64 "\ntarget %s\nsource %s\nroot %s\nmap ",
		     boot, mount->id, mount->namespace_inode, mount->target, mount->source,
		     mount->root) < 0)
		identity->text = NULL;
	return 0;
}

/* Returns false if the mount needs no record, or its identity cannot be told. */
static bool find_identity(const char *target, struct identity *identity)
{
	identity->text = NULL;
	idm_list_path(AT_FDCWD, target, 0, identify_mount, identity, NULL);
	return identity->text;
}

/* Records count only in a directory in which no other user can write. */
static int open_records(void)
{
	int fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	close(fd);
	return -EPERM;
}

/* Returns the text of a record, which the caller frees, or NULL. */
static char *read_record(const char *name)
{
	AUTO_CLOSE int directory = open_records(), fd = -1;
	size_t length;
	char *text;

	if (directory < 0)
		return NULL;
	fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && idm_read_file(fd, RECORD_MOST, &text, &length) == 0 ? text : NULL;
}

enum map_comparison compare_recorded_map(const char *target, const struct idm_map *map)
{
	struct identity identity;
	AUTO_FREE char *text = NULL, *expected = NULL, *recorded = NULL;
	size_t length;

	if (!find_identity(target, &identity))
		return UNKNOWN_MAP;
	text = identity.text;
	length = strlen(text);
	recorded = read_record(identity.name);
	expected = format_map_text(map);
	if (!recorded || !expected || strncmp(recorded, text, length) != 0)
		return UNKNOWN_MAP;
	return strcmp(recorded + length, expected) == 0 ? SAME_MAP : OTHER_MAP;
}

/* Returns 0 or a negative errno. A reader finds the old record, or all of the new one. */
static int write_record(const struct identity *identity, const char *map)
{
	AUTO_CLOSE int directory = -1, fd = -1;
	char name[32];
	int r;

	if (mkdir(DIRECTORY, 0755) < 0 && errno != EEXIST)
		return -errno;
	directory = open_records();
	if (directory < 0)
		return directory;
	snprintf(name, sizeof(name), "new-%ld", (long)getpid());
	unlinkat(directory, name, 0);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%s%s", identity->text, map) >= 0 &&
	    renameat(directory, name, directory, identity->name) == 0)
		return 0;
	r = -errno;
	unlinkat(directory, name, 0);
	return r;
}

void record_map(const char *target, const struct idm_map *map)
{
	AUTO_FREE char *map_text = NULL;
	struct identity identity;
	int r;

	if (!find_identity(target, &identity))
		return;
	map_text = format_map_text(map);
	r = map_text ? write_record(&identity, map_text) : -ENOMEM;
	if (r < 0)
		report_step("did not record the map in " DIRECTORY ": %s", strerror(-r));
	else
		report_step("recorded the map in " DIRECTORY "/%s", identity.name);
	free(identity.text);
}
