// SPDX-License-Identifier: MIT
#include "whiteouts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/macros.h"

#define PREFIX ".wh."
#define META_PREFIX PREFIX PREFIX
#define OPAQUE META_PREFIX ".opq"
#define OPAQUE_ATTRIBUTE "user.overlay.opaque"

/* A directory in a layer. */
struct directory {
	int fd;
	bool changed;
	bool foreign; /* to be left as it is */
	const char *layer;
};

static int fail_conversion(const struct directory *d, const char *name)
{
	return report_failure("%s: convert whiteouts: %s: %s", d->layer, name, strerror(errno));
}

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int open_subdirectory(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- one whiteout ---- */

static int set_opaque(const struct directory *d, int fd, const char *name)
{
	return fsetxattr(fd, OPAQUE_ATTRIBUTE, "y", 1, 0) < 0 ? fail_conversion(d, name) : DONE;
}

static int set_subdirectory_opaque(const struct directory *d, const char *name)
{
	AUTO_CLOSE int fd = open_subdirectory(d->fd, name);

	return fd < 0 ? fail_conversion(d, name) : set_opaque(d, fd, name);
}

/* A file of the same layer hides those below by itself. */
static int hide_name(const struct directory *d, const char *name)
{
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? set_subdirectory_opaque(d, name) : DONE;
	if (errno != ENOENT || mknodat(d->fd, name, S_IFCHR, makedev(0, 0)) < 0)
		return fail_conversion(d, name);
	return DONE;
}

static int replace_whiteout(const struct directory *d, const char *name)
{
	if (strcmp(name, OPAQUE) == 0)
		return set_opaque(d, d->fd, name);
	return starts_with(name, META_PREFIX) ? DONE : hide_name(d, name + strlen(PREFIX));
}

static int refuse_whiteout(const struct directory *d, const char *name)
{
	return report_failure("%s: expected a converted layer, got %s in another storage; run "
			      "idmount-overlayfs --convert for that storage",
			      d->layer, name);
}

static int convert_whiteout(struct directory *d, const char *name)
{
	int status = d->foreign ? refuse_whiteout(d, name) : replace_whiteout(d, name);

	if (status != DONE)
		return status;
	d->changed = true;
	return unlinkat(d->fd, name, 0) < 0 ? fail_conversion(d, name) : DONE;
}

/* ---- all of them ---- */

static int convert_directory(struct directory d);

/* "." and ".." name no file, so ".wh.." is an ordinary file. */
static bool is_whiteout(const char *name)
{
	const char *hidden = name + strlen(PREFIX);

	return starts_with(name, PREFIX) && *hidden && !is_dot(hidden);
}

/* A container cannot read either what the engine's root cannot read in another storage. */
static bool is_no_open_directory(const struct directory *d, int error)
{
	return error == ENOTDIR || error == ELOOP || (error == EACCES && d->foreign);
}

/* Sets *fd to -1 for what is no directory. */
static int open_if_directory(const struct directory *d, const struct dirent *entry, int *fd)
{
	*fd = -1;
	if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return DONE;
	*fd = open_subdirectory(d->fd, entry->d_name);
	if (*fd < 0 && !is_no_open_directory(d, errno))
		return fail_conversion(d, entry->d_name);
	return DONE;
}

static int convert_entry(struct directory *d, const struct dirent *entry)
{
	int fd, status;

	if (is_dot(entry->d_name))
		return DONE;
	status = open_if_directory(d, entry, &fd);
	if (status != DONE)
		return status;
	if (fd >= 0)
		return convert_directory((struct directory){ fd, false, d->foreign, d->layer });
	return is_whiteout(entry->d_name) ? convert_whiteout(d, entry->d_name) : DONE;
}

static int convert_entries(struct directory *d, DIR *stream)
{
	const struct dirent *entry;
	int status = DONE;

	while (status == DONE && (errno = 0, entry = readdir(stream)))
		status = convert_entry(d, entry);
	return status == DONE && errno ? fail_conversion(d, "read directory") : status;
}

static int convert_and_keep_times(struct directory *d, DIR *stream)
{
	struct stat st;
	int status;

	if (fstat(d->fd, &st) < 0)
		return fail_conversion(d, ".");
	status = convert_entries(d, stream);
	if (d->changed && futimens(d->fd, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return fail_conversion(d, ".");
	return status;
}

/* Closes the descriptor. */
static int convert_directory(struct directory d)
{
	DIR *stream = fdopendir(d.fd);
	int status;

	if (!stream) {
		status = fail_conversion(&d, "read directory");
		close(d.fd);
		return status;
	}
	status = convert_and_keep_times(&d, stream);
	closedir(stream);
	return status;
}

static int convert_top(struct directory d)
{
	d.fd = open_subdirectory(d.fd, "."); /* with an offset of its own */
	return d.fd < 0 ? fail_conversion(&d, ".") : convert_directory(d);
}

int convert_whiteouts(int directory_fd, const char *layer)
{
	return convert_top((struct directory){ .fd = directory_fd, .layer = layer });
}

int expect_no_whiteouts(int directory_fd, const char *layer)
{
	return convert_top((struct directory){ .fd = directory_fd, .foreign = true, .layer = layer });
}

bool is_opaque(const char *directory)
{
	char value;

	return getxattr(directory, OPAQUE_ATTRIBUTE, &value, 1) == 1 && value == 'y';
}
