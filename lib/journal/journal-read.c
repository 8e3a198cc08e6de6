// SPDX-License-Identifier: MIT
/* Reads a journal. It is strict, since the undo unmounts and removes what the journal names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/base/unescape.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_read = IDM_STEP_READ_JOURNAL;
static const char first_line[] = "idmount journal 1";

/* A journal of 100,000 mounts with long paths is smaller. */
#define MOST_BYTES (64UL << 20)

/* ---- the file ---- */

/* A user with write access to the journal could choose which mounts are unmounted. */
static int check_journal_owner(int fd, const char *path, struct idm_error *err)
{
	struct stat st;
	int r = idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return idm_fail_errno(err, r, step_read, path);
	if (!S_ISREG(st.st_mode))
		return idm_fail(err, -EINVAL, step_read, path, "it is not a regular file");
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return idm_fail(err, -EPERM, step_read, path,
				"other users can write to it (owner %u, mode %04o)", st.st_uid,
				st.st_mode & 07777);
	return 0;
}

/* ---- lines ---- */

static const char *const kinds[] = {
	[IDM_JOURNAL_DIRECTORY] = "directory",
	[IDM_JOURNAL_FILE] = "file",
	[IDM_JOURNAL_INSIDE_DIRECTORY] = "inside-directory",
	[IDM_JOURNAL_INSIDE_FILE] = "inside-file",
	[IDM_JOURNAL_BASE] = "base",
	[IDM_JOURNAL_ROOT] = "root",
	[IDM_JOURNAL_MOUNT] = "mount",
};

/* Cuts off the next field of a line. Returns NULL at the end of the line. */
static char *next_journal_field(char **rest)
{
	char *word = *rest, *blank;

	if (!word || !*word)
		return NULL;
	blank = strchr(word, ' ');
	if (blank)
		*blank = '\0';
	*rest = blank ? blank + 1 : NULL;
	return *word ? word : NULL;
}

static bool parse_field_number(const char *word, uint64_t *number)
{
	uint64_t n = 0;

	if (!word || !*word || strlen(word) > 20)
		return false;
	for (; *word; word++) {
		if (*word < '0' || *word > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*word - '0'), &n))
			return false;
	}
	*number = n;
	return true;
}

/* A plain path is absolute, or relative to the root if it is inside. It has no "..". */
static bool is_plain_path(const char *path, bool inside)
{
	return (inside ? *path && *path != '/' : *path == '/') && !idm_goes_up(path);
}

static int add_entry(struct idm_journal *journal, struct idm_journal_entry e, char *path)
{
	struct idm_journal_entry *new;
	bool inside = e.kind == IDM_JOURNAL_INSIDE_DIRECTORY || e.kind == IDM_JOURNAL_INSIDE_FILE;

	if (!idm_unescape_strictly(path) || !is_plain_path(path, inside))
		return -EINVAL;
	new = idm_array_append(&journal->entries, &journal->n, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = e;
	new->path = strdup(path);
	return new->path ? 0 : -ENOMEM;
}

static int parse_entry(struct idm_journal *journal, const char *what, char *rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct idm_journal_entry e = { .kind = (enum idm_journal_kind)i };
		char *path;

		if (strcmp(kinds[i], what) != 0)
			continue;
		if (!parse_field_number(next_journal_field(&rest), &e.number) ||
		    (e.kind < IDM_JOURNAL_BASE &&
		     !parse_field_number(next_journal_field(&rest), &e.born)))
			return -EINVAL;
		path = next_journal_field(&rest);
		return path && !rest ? add_entry(journal, e, path) : -EINVAL;
	}
	return -EINVAL;
}

/* Parses one line. Numbers begin at 1. */
static int parse_journal_line(struct idm_journal *journal, size_t number, char *line)
{
	char *rest = line, *what;

	if (journal->complete)
		return -EINVAL; /* nothing comes after the end */
	if (number == 1)
		return strcmp(line, first_line) == 0 ? 0 : -EINVAL;
	if (number == 4) {
		journal->unique_ids = strcmp(line, "ids unique") == 0;
		return journal->unique_ids || strcmp(line, "ids reused") == 0 ? 0 : -EINVAL;
	}
	what = next_journal_field(&rest);
	if (!what)
		return -EINVAL;
	if (number == 2) {
		if (strcmp(what, "boot") != 0 || !rest || !*rest ||
		    strlen(rest) >= sizeof(journal->boot))
			return -EINVAL;
		strcpy(journal->boot, rest);
		return 0;
	}
	if (number == 3)
		return strcmp(what, "namespace") == 0 && rest &&
				       parse_field_number(rest, &journal->namespace_inode)
			       ? 0
			       : -EINVAL;
	if (strcmp(what, "limit") == 0 && !journal->limit)
		return journal->unique_ids && parse_field_number(rest, &journal->limit) ? 0 : -EINVAL;
	if (strcmp(what, "end") == 0 && !rest) {
		journal->complete = true;
		return 0;
	}
	return parse_entry(journal, what, rest);
}

/* A later entry says whether the creation succeeded, or whether another process was faster. */
static void drop_announced(struct idm_journal *journal)
{
	size_t n = 0;

	for (size_t i = 0; i < journal->n; i++) {
		struct idm_journal_entry *e = &journal->entries[i];

		if (e->kind < IDM_JOURNAL_BASE && !e->number &&
		    (i + 1 < journal->n || journal->complete))
			free(e->path);
		else
			journal->entries[n++] = *e;
	}
	journal->n = n;
}

static int parse_journal_lines(struct idm_journal *journal, char *text, size_t length, const char *path,
			       struct idm_error *err)
{
	size_t number = 0;
	char *line, *end;

	if (memchr(text, '\0', length))
		return idm_fail(err, -EINVAL, step_read, path, "it contains a NUL byte");
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		int r;

		*end = '\0';
		r = parse_journal_line(journal, ++number, line);
		if (r == -ENOMEM)
			return idm_fail_errno(err, r, step_read, path);
		if (r < 0)
			return idm_fail(err, r, step_read, path,
					"line %zu is not valid in a journal of idmount", number);
	}
	/* A journal that is cut off in its first line begins like that line. Another file must stay. */
	if (!number && strncmp(line, first_line, strlen(line)) != 0)
		return idm_fail(err, -EINVAL, step_read, path,
				"line 1 is not valid in a journal of idmount");
	drop_announced(journal);
	return 0;
}

/*
 * A link is not followed. The owner of the directory could let it lead to another user's journal. Such a
 * journal is as well-formed, and belongs to the same user.
 */
static int open_journal_file(struct idm_journal *journal, const char *path, struct idm_error *err)
{
	const char *name;

	*journal = (struct idm_journal){ .fd = -1, .directory = idm_journal_directory(path, &name) };
	journal->fd = journal->directory;
	if (journal->directory >= 0)
		journal->fd = idm_sys_openat(journal->directory, name,
					     O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0);
	if (journal->fd == -ELOOP) {
		idm_fail(err, -ELOOP, step_read, path, "it is a symbolic link");
		idm_hint(err, "name the file that it points to");
		return -ELOOP;
	}
	return journal->fd < 0 ? idm_fail_errno(err, journal->fd, step_read, path) : 0;
}

static int read_journal_text(int fd, const char *path, char **text, size_t *length,
			     struct idm_error *err)
{
	int r = idm_read_file(fd, MOST_BYTES, text, length);

	if (r == -EFBIG)
		return idm_fail(err, -EINVAL, step_read, path,
				"it is larger than any journal of idmount");
	return r < 0 ? idm_fail_errno(err, r, step_read, path) : 0;
}

int idm_journal_read(struct idm_journal *journal, const char *path, struct idm_error *err)
{
	AUTO_FREE char *text = NULL;
	size_t length = 0;
	int r;

	*journal = (struct idm_journal){ .fd = -1, .directory = -1 };
	if (!*path)
		return idm_fail(err, -ENOENT, step_read, NULL, "the journal's path is empty");
	r = open_journal_file(journal, path, err);
	if (r == 0)
		r = check_journal_owner(journal->fd, path, err);
	if (r == 0)
		r = idm_journal_lock(journal->fd, path, err);
	if (r == 0)
		r = read_journal_text(journal->fd, path, &text, &length, err);
	if (r == 0)
		r = parse_journal_lines(journal, text, length, path, err);
	if (r < 0)
		idm_journal_free(journal);
	return r;
}

void idm_journal_free(struct idm_journal *journal)
{
	for (size_t i = 0; i < journal->n; i++)
		free(journal->entries[i].path);
	free(journal->entries);
	idm_journal_unlock(&journal->fd);
	idm_close_fd(&journal->directory);
	*journal = (struct idm_journal){ .fd = -1, .directory = -1 };
}
