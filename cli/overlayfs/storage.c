// SPDX-License-Identifier: MIT
#include "storage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "whiteouts.h"

/* Contains device and inode of the converted directory. The engine may replace that by another one. */
#define CONVERTED_MARKER ".idmount-kernel-whiteouts"
/* Its existence is enough: containers/storage replaces no directory that was an upper one. */
#define UPPER_MARKER ".idmount-upper"

#define LAYER_DIRECTORY "diff"
#define LINK_FILE "link"
#define LINKS_DIRECTORY "l"

struct layer {
	const char *path;
	int diff, beside; /* the directory, and the one that has it; -1 */
	struct stat st;	  /* of the directory */
	char identity[64];
};

static int fail_layer(const struct layer *l, const char *what)
{
	return report_failure("%s: convert layer: %s: %s", l->path, what, strerror(errno));
}

/* ---- what a layer is ---- */

static bool is_link_file(int fd, const char *path)
{
	struct stat st;

	return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

bool is_layer_path(const char *path, size_t *home)
{
	const char *name = strrchr(path, '/'), *id = name;
	char *link;
	bool is;

	while (id && id > path && *--id != '/')
		;
	if (!name || id <= path || strcmp(name + 1, LAYER_DIRECTORY) != 0)
		return false;
	if (asprintf(&link, "%.*s/" LINK_FILE, (int)(name - path), path) < 0)
		return false;
	is = is_link_file(AT_FDCWD, link);
	free(link);
	*home = (size_t)(id - path);
	return is;
}

/* Not a volume's directory that happens to be called the same. */
static bool is_in_storage(const struct layer *l)
{
	struct stat st;

	return fstatat(l->beside, LAYER_DIRECTORY, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == l->st.st_dev && st.st_ino == l->st.st_ino &&
	       is_link_file(l->beside, LINK_FILE) &&
	       fstatat(l->beside, "../" LINKS_DIRECTORY, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static void close_layer(struct layer *l)
{
	idm_close_fd(&l->diff);
	idm_close_fd(&l->beside);
}

/* The directory around a volume may be one that the caller cannot read. */
static int open_layer_directory(struct layer *l)
{
	l->diff = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->diff >= 0 && fstat(l->diff, &l->st) == 0)
		l->beside = openat(l->diff, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->beside < 0)
		return fail_layer(l, "open");
	snprintf(l->identity, sizeof(l->identity), "%llu:%llu\n", (unsigned long long)l->st.st_dev,
		 (unsigned long long)l->st.st_ino);
	return DONE;
}

/* ---- markers ---- */

static bool is_marked_as_upper(const struct layer *l)
{
	struct stat st;

	return fstatat(l->beside, UPPER_MARKER, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_marked_as_converted(const struct layer *l)
{
	AUTO_CLOSE int fd = openat(l->beside, CONVERTED_MARKER, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[sizeof(l->identity)];
	ssize_t n = fd < 0 ? -1 : idm_read_all(fd, text, sizeof(text));

	return n == (ssize_t)strlen(l->identity) && memcmp(text, l->identity, (size_t)n) == 0;
}

/* Such a storage can have no marker. A conversion with something to do would have failed. */
static bool is_read_only_storage(int error)
{
	return error == EROFS || error == EACCES || error == EPERM;
}

/* A marker that is cut is no marker, and the conversion is repeated. */
static int write_marker(const struct layer *l, const char *name)
{
	AUTO_CLOSE int fd = openat(l->beside, name,
				   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t n = strlen(l->identity);

	if (fd < 0)
		return is_read_only_storage(errno) ? DONE : fail_layer(l, name);
	return write(fd, l->identity, n) == (ssize_t)n ? DONE : fail_layer(l, name);
}

/* ---- the conversion ---- */

static bool needs_conversion(const struct layer *l)
{
	return !is_marked_as_converted(l) && !is_marked_as_upper(l);
}

/* A process that waited for the lock finds the marker. */
static int convert_locked(const struct layer *l)
{
	int status;

	if (!needs_conversion(l))
		return DONE;
	status = convert_whiteouts(l->diff, l->path);
	return status == DONE ? write_marker(l, CONVERTED_MARKER) : status;
}

/* One descriptor is open for each level of directories. */
static void allow_deep_directories(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int lock_and_convert(const struct layer *l)
{
	while (flock(l->diff, LOCK_EX) < 0)
		if (errno != EINTR)
			return fail_layer(l, "lock");
	allow_deep_directories();
	return convert_locked(l);
}

static int convert_open_layer(const struct layer *l, bool upper)
{
	bool needs = needs_conversion(l);
	int status;

	if (needs && !is_in_storage(l))
		return DONE;
	status = needs ? lock_and_convert(l) : DONE;
	if (status != DONE || !upper || is_marked_as_upper(l))
		return status;
	return write_marker(l, UPPER_MARKER);
}

int convert_layer(const char *path, bool upper)
{
	struct layer l = { .path = path, .diff = -1, .beside = -1 };
	int status = open_layer_directory(&l);

	if (status == DONE)
		status = convert_open_layer(&l, upper);
	close_layer(&l);
	return status;
}

/* ---- a whole storage ---- */

static int convert_layer_of(const char *home, const char *id)
{
	char *path;
	int status;

	if (asprintf(&path, "%s/%s/" LAYER_DIRECTORY, home, id) < 0)
		return out_of_memory();
	status = access(path, F_OK) == 0 ? convert_layer(path, false) : DONE;
	free(path);
	return status;
}

static int convert_all_layers(const char *home, DIR *stream)
{
	const struct dirent *entry;
	int status = DONE;

	while (status == DONE && (errno = 0, entry = readdir(stream)))
		if (*entry->d_name != '.')
			status = convert_layer_of(home, entry->d_name);
	if (status == DONE && errno)
		return report_failure("%s: read directory: %s", home, strerror(errno));
	return status;
}

int convert_storage(const char *path)
{
	AUTO_FREE char *home = NULL;
	DIR *stream;
	int status;

	if (asprintf(&home, "%s/overlay", path) < 0)
		return home = NULL, out_of_memory();
	stream = opendir(home);
	if (!stream)
		return report_failure("%s: %s", home, strerror(errno));
	status = convert_all_layers(home, stream);
	closedir(stream);
	return status;
}
