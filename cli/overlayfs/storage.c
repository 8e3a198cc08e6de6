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
#define MOUNT_DIRECTORY "merged"
#define LINK_FILE "link"
#define HOME_DIRECTORY "overlay"

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

static bool are_one_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_named(int parent, const char *name, const struct stat *directory)
{
	struct stat st;

	return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && are_one_file(&st, directory);
}

/* Not "empty", nor "diff1", which containers/storage makes from converted ones. */
static bool is_layer(const struct layer *l)
{
	return is_named(l->beside, LAYER_DIRECTORY, &l->st) && is_link_file(l->beside, LINK_FILE);
}

/* The path can contain symbolic links. */
static bool is_in_home(const struct layer *l, const struct storage_home *home)
{
	struct stat st;

	return fstatat(l->beside, "..", &st, 0) == 0 && are_one_file(&st, &home->st);
}

/* ".." also leads out of a mount, which can be there already. */
void find_storage_home(const char *target, struct storage_home *home)
{
	AUTO_CLOSE int mounted = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int beside = openat(mounted, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	home->is_known = fstat(mounted, &st) == 0 && is_named(beside, MOUNT_DIRECTORY, &st) &&
			 fstatat(beside, "..", &home->st, 0) == 0;
}

static void close_layer(struct layer *l)
{
	idm_close_fd(&l->diff);
	idm_close_fd(&l->beside);
}

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

/* Another file could be one that its owner changes, or a FIFO that never answers. */
static bool is_own_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1;
}

/* Returns -1 without one. */
static int open_marker(const struct layer *l, const char *name)
{
	AUTO_CLOSE int fd = openat(l->beside, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && is_own_file(fd) ? idm_steal_fd(&fd) : -1;
}

static bool is_marked_as_upper(const struct layer *l)
{
	AUTO_CLOSE int fd = open_marker(l, UPPER_MARKER);

	return fd >= 0;
}

static bool is_marked_as_converted(const struct layer *l)
{
	AUTO_CLOSE int fd = open_marker(l, CONVERTED_MARKER);
	char text[sizeof(l->identity)];
	ssize_t n = fd < 0 ? -1 : idm_read_all(fd, text, sizeof(text));

	return n == (ssize_t)strlen(l->identity) && memcmp(text, l->identity, (size_t)n) == 0;
}

/* Such a storage can have no marker. A conversion with something to do would have failed. */
static bool is_read_only_storage(int error)
{
	return error == EROFS || error == EACCES || error == EPERM;
}

static int refuse_file(const struct layer *l, const char *name)
{
	return report_failure("%s: %s beside it: expected a regular file of user ID %u with one link",
			      l->path, name, geteuid());
}

/* A symbolic link, a FIFO without a reader, or a directory. */
static bool is_other_type(int error)
{
	return error == ELOOP || error == ENXIO || error == EISDIR;
}

static int fail_marker(const struct layer *l, const char *name)
{
	if (is_other_type(errno))
		return refuse_file(l, name);
	return is_read_only_storage(errno) ? DONE : fail_layer(l, name);
}

/* Creates it if it is missing. *fd is -1 in a storage that can have no marker. */
static int open_own_marker(const struct layer *l, const char *name, int *fd)
{
	*fd = openat(l->beside, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (*fd < 0)
		return fail_marker(l, name);
	return is_own_file(*fd) ? DONE : refuse_file(l, name);
}

/* A marker that is cut is no marker, and the conversion is repeated. */
static int fill_marker(const struct layer *l, const char *name, int fd)
{
	size_t n = strlen(l->identity);

	if (fd >= 0 && (ftruncate(fd, 0) < 0 || write(fd, l->identity, n) != (ssize_t)n))
		return fail_layer(l, name);
	return DONE;
}

static int write_marker(const struct layer *l, const char *name)
{
	AUTO_CLOSE int fd = -1;
	int status = open_own_marker(l, name, &fd);

	return status == DONE ? fill_marker(l, name, fd) : status;
}

/* ---- the conversion ---- */

static bool needs_conversion(const struct layer *l)
{
	return !is_marked_as_converted(l) && !is_marked_as_upper(l);
}

/* A process that waited for the lock finds the marker. */
static int convert_locked(const struct layer *l, int marker)
{
	int status;

	if (!needs_conversion(l))
		return DONE;
	status = convert_whiteouts(l->diff, l->path);
	return status == DONE ? fill_marker(l, CONVERTED_MARKER, marker) : status;
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

/* Each user who can read the layer could lock the layer itself. No other user can open the marker. */
static int lock_and_convert(const struct layer *l)
{
	AUTO_CLOSE int marker = -1;
	int status = open_own_marker(l, CONVERTED_MARKER, &marker);

	if (status != DONE)
		return status;
	while (marker >= 0 && flock(marker, LOCK_EX) < 0)
		if (errno != EINTR)
			return fail_layer(l, "lock");
	allow_deep_directories();
	return convert_locked(l, marker);
}

/* The owner of another storage converts it. An engine changes no additional image store. */
static int check_other_layer(const struct layer *l)
{
	if (!is_layer(l) || !needs_conversion(l))
		return DONE;
	allow_deep_directories();
	return expect_no_whiteouts(l->diff, l->path);
}

static int convert_own_layer(const struct layer *l, bool upper)
{
	bool needs = needs_conversion(l);
	int status;

	if (needs && !is_layer(l))
		return DONE;
	status = needs ? lock_and_convert(l) : DONE;
	if (status != DONE || !upper || is_marked_as_upper(l))
		return status;
	return write_marker(l, UPPER_MARKER);
}

int convert_layer(const struct storage_home *home, const char *path, bool upper)
{
	struct layer l = { .path = path, .diff = -1, .beside = -1 };
	int status;

	if (!home->is_known) /* the layers can be volumes, and look like a storage */
		return DONE;
	status = open_layer_directory(&l);
	if (status == DONE)
		status = is_in_home(&l, home) ? convert_own_layer(&l, upper) : check_other_layer(&l);
	close_layer(&l);
	return status;
}

/* ---- a whole storage ---- */

/* The open home, and its path. */
struct open_home {
	struct storage_home home;
	const char *path;
	DIR *stream;
};

static int convert_layer_of(const struct open_home *h, const char *id)
{
	char *path;
	int status;

	if (asprintf(&path, "%s/%s/" LAYER_DIRECTORY, h->path, id) < 0)
		return out_of_memory();
	status = access(path, F_OK) == 0 ? convert_layer(&h->home, path, false) : DONE;
	free(path);
	return status;
}

static int convert_all_layers(struct open_home *h)
{
	const struct dirent *entry;
	int status = DONE;

	h->home.is_known = fstat(dirfd(h->stream), &h->home.st) == 0;
	while (status == DONE && (errno = 0, entry = readdir(h->stream)))
		if (*entry->d_name != '.')
			status = convert_layer_of(h, entry->d_name);
	if (status == DONE && errno)
		return report_failure("%s: read directory: %s", h->path, strerror(errno));
	return status;
}

/* The owner of a storage chooses what its entries are. A link could lead to another owner's. */
static int check_home(int storage, int home, const char *path)
{
	struct stat above, st;

	if (home < 0 && errno == ENOTDIR)
		return report_failure("%s: expected a directory, and no symbolic link", path);
	if (home < 0 || fstat(storage, &above) < 0 || fstat(home, &st) < 0)
		return report_failure("%s: %s", path, strerror(errno));
	if (st.st_uid != above.st_uid)
		return report_failure(
			"%s: expected a directory of the storage's owner, user ID %u, got one of %u",
			path, above.st_uid, st.st_uid);
	return DONE;
}

static int convert_home(const char *storage, const char *path)
{
	AUTO_CLOSE int parent = open(storage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int fd = parent < 0 ? -1
				       : openat(parent, HOME_DIRECTORY,
						O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct open_home h = { .path = path };
	int status;

	if (fd < 0 && errno == ENOENT)
		return report_failure(
			"%s: expected a storage, such as graphRoot of \"podman info\", got a "
			"directory without \"" HOME_DIRECTORY "\"",
			storage);
	status = check_home(parent, fd, path);
	if (status != DONE)
		return status;
	h.stream = fdopendir(fd);
	if (!h.stream)
		return report_failure("%s: %s", path, strerror(errno));
	idm_steal_fd(&fd);
	status = convert_all_layers(&h);
	closedir(h.stream);
	return status;
}

int convert_storage(const char *path)
{
	AUTO_FREE char *home = NULL;

	if (geteuid() != 0) /* the layers have files of subordinate IDs */
		return report_failure(
			"it requires root of the engine's user namespace; run it as: podman "
			"unshare idmount-overlayfs --convert %s",
			path);
	if (asprintf(&home, "%s/" HOME_DIRECTORY, path) < 0)
		return home = NULL, out_of_memory();
	return convert_home(path, home);
}
