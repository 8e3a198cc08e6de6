// SPDX-License-Identifier: MIT
/*
 * Writes a journal. Each line is appended by one write(2), and the list of all mounts by another one. A
 * line that was written stays true.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "journal.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_journal = IDM_STEP_WRITE_JOURNAL;

/* ---- lines ---- */

static int write_line(struct idm_journal_writer *rec, struct idm_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int write_line(struct idm_journal_writer *rec, struct idm_error *err, const char *format, ...)
{
	AUTO_FREE char *line = NULL;
	va_list args;
	int length, r;

	va_start(args, format);
	length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0) {
		line = NULL;
		return idm_fail_errno(err, -ENOMEM, step_journal, rec->path);
	}
	r = idm_sys_write_all(rec->fd, line, (size_t)length);
	return r < 0 ? idm_fail_errno(err, r, step_journal, rec->path) : 0;
}

static char *escape_path(const char *path)
{
	char *text = malloc(4 * strlen(path) + 1), *to = text;

	for (; text && *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c > ' ' && c < 0x7f && c != '\\')
			*to++ = (char)c;
		else
			to += sprintf(to, "\\%03o", c);
	}
	if (text)
		*to = '\0';
	return text;
}

static int write_tree_line(struct idm_journal_writer *rec, const char *what, uint64_t id,
			   const char *path, struct idm_error *err)
{
	AUTO_FREE char *escaped = escape_path(path);

	if (!escaped)
		return idm_fail_errno(err, -ENOMEM, step_journal, rec->path);
	return write_line(rec, err, "%s %llu %s\n", what, (unsigned long long)id, escaped);
}

static int write_created(struct idm_journal_writer *rec, const char *what,
			 const struct idm_created *created, const char *path, struct idm_error *err)
{
	AUTO_FREE char *escaped = escape_path(path);

	if (!escaped)
		return idm_fail_errno(err, -ENOMEM, step_journal, rec->path);
	return write_line(rec, err, "%s %llu %llu %s\n", what, (unsigned long long)created->id.inode,
			  (unsigned long long)created->id.born, escaped);
}

/* ---- the file ---- */

static int write_head(struct idm_journal_writer *rec, struct idm_error *err)
{
	struct idm_mount_ns ns;
	uint64_t id;
	bool unique;
	char boot[40];
	int r = idm_boot_id(boot, err);

	if (r < 0)
		return r;
	r = idm_mount_ns_own(&ns);
	if (idm_is_shortage(r))
		return idm_fail_errno(err, r, step_journal, rec->path);
	if (r < 0)
		return idm_fail(err, -ENOENT, step_journal, rec->path,
				"the mount namespace is unknown without /proc");
	r = idm_mount_id(AT_FDCWD, "/", &id, &unique);
	if (r < 0)
		return idm_fail_errno(err, r, step_journal, rec->path);
	return write_line(rec, err, "idmount journal 1\nboot %s\nnamespace %llu\n%s\n", boot,
			  (unsigned long long)ns.inode, unique ? "ids unique" : "ids reused");
}

static void close_writer(struct idm_journal_writer *rec)
{
	idm_close_fd(&rec->fd);
	idm_close_fd(&rec->directory);
	rec->fd = rec->directory = -1;
}

int idm_journal_writer_open(struct idm_journal_writer *rec, const char *path, struct idm_error *err)
{
	int r;

	*rec = (struct idm_journal_writer){ .fd = -1, .directory = -1, .path = path };
	if (!path)
		return 0;
	if (!*path)
		return idm_fail(err, -ENOENT, step_journal, NULL, "the journal's path is empty");
	rec->fd = rec->directory = idm_journal_directory(path, &rec->name);
	if (rec->directory >= 0)
		rec->fd = idm_sys_openat(rec->directory, rec->name,
					 O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0600);
	if (rec->fd == -EEXIST) {
		idm_fail_errno(err, -EEXIST, step_journal, path);
		idm_hint(err, "\"idmount undo --journal %s\" undoes and removes it", path);
		close_writer(rec);
		return -EEXIST;
	}
	if (rec->fd < 0) {
		r = idm_fail_errno(err, rec->fd, step_journal, path);
		close_writer(rec);
		return r;
	}
	r = idm_journal_lock(rec->fd, path, err);
	if (r == -EBUSY || r == -ENOENT) { /* another process undoes it already, and owns it now */
		close_writer(rec);
		return r;
	}
	if (r == 0)
		r = write_head(rec, err);
	return r < 0 ? idm_journal_writer_close(rec, r) : 0;
}

int idm_journal_writer_close(struct idm_journal_writer *rec, int code)
{
	if (rec->fd < 0)
		return code;
	if (code < 0)
		idm_journal_remove(rec->directory, rec->name, rec->fd);
	idm_journal_unlock(&rec->fd);
	close_writer(rec);
	return code;
}

/* ---- what was created ---- */

/* Writes the path of an open directory to `path`. Errors name `subject`. */
static int path_of_directory(int fd, char path[PATH_MAX], const char *subject, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);
	ssize_t n;

	if (proc < 0)
		return proc;
	n = idm_procfs_fd_path(proc, fd, path, PATH_MAX);
	if (n <= 0 || *path != '/')
		return idm_fail_errno(err, n < 0 ? (int)n : -ENOENT, step_journal, subject);
	return 0;
}

int idm_journal_outside(const struct idm_created *created, const char *path, void *writer,
			struct idm_error *err)
{
	struct idm_journal_writer *rec = writer;
	AUTO_FREE char *whole = NULL;
	char above[PATH_MAX];
	int r;

	if (rec->fd < 0)
		return 0;
	r = path_of_directory(created->parent, above, path, err);
	if (r < 0)
		return r;
	if (asprintf(&whole, "%s/%s", strcmp(above, "/") == 0 ? "" : above, created->name) < 0) {
		whole = NULL;
		return idm_fail_errno(err, -ENOMEM, step_journal, path);
	}
	return write_created(rec, created->directory ? "directory" : "file", created, whole, err);
}

int idm_journal_inside(const struct idm_created *created, const char *path, void *writer,
		       struct idm_error *err)
{
	struct idm_journal_writer *rec = writer;

	return rec->fd < 0 ? 0
			   : write_created(rec, created->directory ? "inside-directory" : "inside-file",
					   created, path, err);
}

/* ---- mounts ---- */

static int sync_journal(struct idm_journal_writer *rec, struct idm_error *err)
{
	int r = idm_sys_fsync(rec->fd);

	return r < 0 ? idm_fail_errno(err, r, step_journal, rec->path) : 0;
}

/* Finds the ID that the next mount gets. It is that of a detached mount, which no process sees. */
static int next_mount_id(uint64_t *id, bool *unique)
{
	AUTO_CLOSE int mount = idm_probe_tmpfs();

	return mount < 0 ? mount : idm_mount_id(mount, "", id, unique);
}

int idm_journal_limit(struct idm_journal_writer *rec, uint64_t newest, struct idm_error *err)
{
	uint64_t id = newest + 1;
	bool unique = true;
	int r;

	if (rec->fd < 0)
		return 0;
	r = newest ? 0 : next_mount_id(&id, &unique);
	if (r < 0)
		return idm_fail_errno(err, r, step_journal, rec->path);
	if (!unique)
		return 0;
	rec->limit = id;
	return write_line(rec, err, "limit %llu\n", (unsigned long long)id);
}

static int write_tree(struct idm_journal_writer *rec, const char *what, int tree,
		      const struct idm_target *target, struct idm_error *err)
{
	char path[PATH_MAX];
	uint64_t id;
	bool unique;
	int r;

	if (rec->fd < 0)
		return 0;
	r = path_of_directory(target->fd, path, rec->path, err);
	if (r < 0)
		return r;
	r = idm_mount_id(tree, "", &id, &unique);
	if (r < 0)
		return idm_fail_errno(err, r, step_journal, rec->path);
	r = write_tree_line(rec, what, id, path, err);
	return r < 0 ? r : sync_journal(rec, err);
}

int idm_journal_base(struct idm_journal_writer *rec, int tree, const struct idm_target *target,
		     struct idm_error *err)
{
	return write_tree(rec, "base", tree, target, err);
}

int idm_journal_root(struct idm_journal_writer *rec, int tree, const struct idm_target *target,
		     struct idm_error *err)
{
	return write_tree(rec, "root", tree, target, err);
}

/*
 * The text that names all mounts. It is written at once, since a write for each costs more than finding
 * it. The kernel lists mounts in the order of mounting, parents first.
 */
struct names {
	FILE *text;
	char *start;
	size_t length;
	uint64_t root, limit; /* no mount of the plan has a smaller ID, or the limit, or a larger one; 0:
				 none */
	uint64_t *ids;	      /* of the mounts in the text */
	size_t n;
};

static int add_name(struct names *names, const struct idm_mount_info *mount)
{
	AUTO_FREE char *escaped = escape_path(mount->target);
	uint64_t *new = idm_array_append(&names->ids, &names->n, sizeof(*new));

	if (!escaped || !new)
		return -ENOMEM;
	*new = mount->id;
	return fprintf(names->text, "mount %llu %s\n", (unsigned long long)mount->id, escaped) < 0
		       ? -ENOMEM
		       : 0;
}

static bool is_below_named(const struct names *names, const struct idm_mount_info *mount)
{
	for (size_t i = names->n; i-- > 0;)
		if (names->ids[i] == mount->parent_id)
			return true;
	return false;
}

/* Another process may have mounted or moved something below since the root was attached. */
static bool is_of_plan(const struct names *names, const struct idm_mount_info *mount)
{
	return !names->limit || (mount->id >= names->root && mount->id < names->limit);
}

static int add_if_below(const struct idm_mount_info *mount, void *data)
{
	struct names *names = data;

	if (mount->id != names->root && !is_below_named(names, mount))
		return 0;
	return is_of_plan(names, mount) ? add_name(names, mount) : 0;
}

static int add_all_names(struct idm_journal_writer *rec, int tree, struct names *names,
			 struct idm_error *err)
{
	bool unique;
	int r = idm_mount_id(tree, "", &names->root, &unique);

	if (r < 0)
		return idm_fail_errno(err, r, step_journal, rec->path);
	r = idm_list_below(names->root, add_if_below, names, err);
	if (r == -ENOMEM)
		return idm_fail_errno(err, r, step_journal, rec->path);
	/* IDs of the other kind have this result, for example. */
	if (r == 0 && !names->n)
		return idm_fail(err, -ENOENT, step_journal, rec->path,
				"the mounts are not in this mount namespace");
	return r;
}

static int write_names(struct idm_journal_writer *rec, struct names *names, struct idm_error *err)
{
	int r = fputs("end\n", names->text) < 0 || fflush(names->text) != 0 ? -ENOMEM : 0;

	if (r == 0)
		r = idm_sys_write_all(rec->fd, names->start, names->length);
	return r < 0 ? idm_fail_errno(err, r, step_journal, rec->path) : 0;
}

int idm_journal_mounts(struct idm_journal_writer *rec, int tree, struct idm_error *err)
{
	struct names names = { .limit = rec->limit };
	int r;

	if (rec->fd < 0)
		return 0;
	names.text = open_memstream(&names.start, &names.length);
	if (!names.text)
		return idm_fail_errno(err, -ENOMEM, step_journal, rec->path);
	r = add_all_names(rec, tree, &names, err);
	if (r == 0)
		r = write_names(rec, &names, err);
	fclose(names.text);
	free(names.start);
	free(names.ids);
	return r < 0 ? r : sync_journal(rec, err);
}
