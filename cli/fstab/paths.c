// SPDX-License-Identifier: MIT
/* The sources and targets of lines of type idmap. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/device.h"
#include "cli/common/mount-root.h"
#include "cli/common/report.h"
#include "fstab.h"

static bool is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	while (n > 1 && directory[n - 1] == '/')
		n--;
	return strncmp(path, directory, n) == 0 && (path[n] == '/' || !path[n]);
}

/* A mount at the very target of the line is below it, or over it, and no part of the path to it. */
static bool is_on_path(const struct fstab_line *line, const struct fstab_line *l, const char *path)
{
	return l != line && *l->target == '/' && l->target[1] && is_below(path, l->target) &&
	       (path != line->target || strcmp(path, l->target) != 0);
}

/*
 * Returns the other line whose mount has the path, or NULL. The root is mounted before the file is read,
 * and a line of type idmap may mount on its own source.
 */
static const struct fstab_line *find_line_below(const struct fstab *fstab, const struct fstab_line *line,
						const char *path)
{
	const struct fstab_line *found = NULL;

	for (size_t i = 0; i < fstab->n; i++) {
		const struct fstab_line *l = &fstab->lines[i];

		if (is_on_path(line, l, path) && (!found || strlen(l->target) > strlen(found->target)))
			found = l;
	}
	return found;
}

/* As sd_booted(3). */
static bool systemd_mounts(void)
{
	struct stat st;

	return lstat("/run/systemd/system", &st) == 0 && S_ISDIR(st.st_mode);
}

static int check_missing_source(const struct fstab_line *line)
{
	if (!has_fstab_option(line->options, "nofail"))
		return report_failure("%s: the source does not exist; create it, or add nofail",
				      line->source);
	if (!systemd_mounts())
		return DONE;
	return report_failure(
		"%s: the source does not exist; systemd does not pass nofail on, so its unit "
		"fails at boot",
		line->source);
}

/* An ordinary user cannot try a map, and that is no fault of the file. */
static bool is_for_privilege(const struct idm_error *err)
{
	return err->errnum == EPERM || err->errnum == EACCES;
}

static bool treats_mapped_source(const struct fstab_line *line)
{
	return has_fstab_option(line->options, "remap") || has_fstab_option(line->options, "on-top");
}

static int check_mappable(const struct fstab_line *line)
{
	struct idm_check_result check = IDM_CHECK_RESULT_INIT;
	struct idm_error why, err;

	if (idm_check_path(AT_FDCWD, line->source, 0, &check, &why, &err) < 0)
		return is_for_privilege(&err) ? DONE : report_error(&err);
	if (!check.mappable)
		return is_for_privilege(&why) ? DONE : report_error(&why);
	if (check.mapped && !treats_mapped_source(line) && !is_mount_root(AT_FDCWD, line->target))
		return report_failure(
			"%s: the source is on a mount that is ID-mapped already; add remap or "
			"on-top",
			line->source);
	return DONE;
}

/*
 * With _netdev, systemd derives no order from the path of the source. Without it, systemd mounts the line
 * before the network is there, which the filesystem of the source needs.
 */
static int check_network_order(const struct fstab_line *line, const struct fstab_line *of)
{
	bool network = has_fstab_option(line->options, "_netdev");

	if (!of || !systemd_mounts())
		return DONE;
	if (network && !has_fstab_option(line->options, "x-systemd.requires-mounts-for"))
		return report_failure("_netdev: systemd does not order the line after its source; add "
				      "x-systemd.requires-mounts-for=%s",
				      of->target);
	if (!network && has_fstab_option(of->options, "_netdev"))
		return report_failure("%s: systemd mounts %s after the network, and this line before; add "
				      "_netdev,x-systemd.requires-mounts-for=%s",
				      line->source, of->target, of->target);
	return DONE;
}

int check_fstab_source(const struct fstab *fstab, const struct fstab_line *line)
{
	const struct fstab_line *of = find_line_below(fstab, line, line->source);

	if (is_device_tag(line->source))
		return DONE; /* the device may appear later */
	if (*line->source != '/')
		return report_failure(
			"%s: expected an absolute path as source, or a device as UUID= or LABEL=",
			line->source);
	if (of && of->number > line->number)
		return report_failure(
			"%s: the source is on %s, which line %zu mounts later; move that line up",
			line->source, of->target, of->number);
	if (check_network_order(line, of) != DONE)
		return FAILED;
	if (of && !is_mount_root(AT_FDCWD, of->target))
		return DONE; /* what it will contain is not known */
	if (access(line->source, F_OK) < 0)
		return errno == ENOENT ? check_missing_source(line) : DONE;
	return is_device_source(line->source) ? DONE : check_mappable(line);
}

/* ---- targets ---- */

/* systemd does so before it runs mount(8). */
static bool systemd_creates_target(const struct fstab *fstab)
{
	return fstab->unit || systemd_mounts();
}

/* mount(8) itself creates the target for the last two. */
static bool creates_target(const struct fstab *fstab, const struct fstab_line *line)
{
	return systemd_creates_target(fstab) || has_fstab_option(line->options, "mkdir") ||
	       has_fstab_option(line->options, "X-mount.mkdir") ||
	       has_fstab_option(line->options, "x-mount.mkdir");
}

static int check_existing_target(const struct fstab_line *line, const struct stat *target)
{
	struct stat source;
	bool directory;

	if (is_device_source(line->source))
		return S_ISDIR(target->st_mode)
			       ? DONE
			       : report_failure("%s: expected a directory as target of a device",
						line->target);
	if (stat(line->source, &source) < 0 || S_ISDIR(source.st_mode) == S_ISDIR(target->st_mode))
		return DONE;
	directory = S_ISDIR(source.st_mode);
	return report_failure("%s: expected a %s as target, as the source %s is", line->target,
			      directory ? "directory" : "file", line->source);
}

/* systemd creates a missing target of any type but bind as a directory. */
static int check_missing_target(const struct fstab *fstab, const struct fstab_line *line)
{
	struct stat source;

	if (systemd_creates_target(fstab) && stat(line->source, &source) == 0 &&
	    !is_device_source(line->source) && !S_ISDIR(source.st_mode))
		return report_failure("%s: systemd creates a missing target as a directory, and the "
				      "source is a file; create the target",
				      line->target);
	if (creates_target(fstab, line))
		return DONE;
	return report_failure("%s: the target does not exist; create it, or add mkdir", line->target);
}

int check_fstab_target(const struct fstab *fstab, const struct fstab_line *line)
{
	const struct fstab_line *of = find_line_below(fstab, line, line->target);
	struct stat st;

	if (!*line->target && fstab->unit)
		return DONE;
	if (*line->target != '/')
		return report_failure("%s: expected an absolute path as target", line->target);
	if (of && of->number > line->number)
		return report_failure(
			"%s: the target is on %s, which line %zu mounts later, over it; move that "
			"line up",
			line->target, of->target, of->number);
	if (of && !is_mount_root(AT_FDCWD, of->target))
		return DONE; /* what it will contain is not known */
	if (stat(line->target, &st) == 0)
		return check_existing_target(line, &st);
	return errno == ENOENT ? check_missing_target(fstab, line) : DONE;
}
