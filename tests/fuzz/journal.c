// SPDX-License-Identifier: MIT
/* The journal of an applied plan. The undo unmounts and removes everything that it names. */
#include "lib/journal/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static const char name[] = "journal";

/* The file of that name. It has no directory entry, so it is already removed. */
static int memory = -1;

int __real_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode);
int __wrap_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode);
int __wrap_idm_journal_lock(int fd, const char *path, struct idm_error *err);

int __wrap_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode)
{
	if (strcmp(path, name) != 0)
		return __real_idm_sys_openat(dirfd, path, flags, mode);
	return fcntl(memory, F_DUPFD_CLOEXEC, 0);
}

int __wrap_idm_journal_lock(int fd, const char *path, struct idm_error *err)
{
	(void)fd, (void)path, (void)err;
	return 0;
}

static int read_journal(struct idm_journal *journal, const char *text, size_t size)
{
	struct idm_error err;
	int r;

	memory = memory_file(text, size);
	r = idm_journal_read(journal, name, &err);
	close(memory);
	if (r < 0) {
		CHECK_ERROR(r, &err);
		CHECK(journal->fd == -1 && !journal->entries && !journal->n);
	}
	return r;
}

/* ---- valid entries ---- */

/* No path leads out of the directory that it is joined to. */
static void check_path(const struct idm_journal_entry *e)
{
	bool inside = e->kind == IDM_JOURNAL_INSIDE_DIRECTORY || e->kind == IDM_JOURNAL_INSIDE_FILE;

	CHECK(*e->path);
	CHECK(inside == (*e->path != '/'));
	for (const char *s = e->path; s; s = strchr(s, '/')) {
		s += *s == '/';
		CHECK(strncmp(s, "..", 2) != 0 || (s[2] && s[2] != '/'));
	}
}

/* ---- and back ---- */

static void print_path(FILE *out, const char *path)
{
	for (; *path; path++)
		if (*path > ' ' && *path < 0x7f && *path != '\\')
			fputc(*path, out);
		else
			fprintf(out, "\\%03o", (unsigned char)*path);
	fputc('\n', out);
}

static void print_entry(FILE *out, const struct idm_journal_entry *e)
{
	static const char *const kinds[] = { "directory",   "file", "inside-directory",
					     "inside-file", "base", "root",
					     "mount" };

	fprintf(out, "%s %llu ", kinds[e->kind], (unsigned long long)e->number);
	if (e->kind < IDM_JOURNAL_BASE)
		fprintf(out, "%llu ", (unsigned long long)e->born);
	print_path(out, e->path);
}

static char *print_journal(const struct idm_journal *journal)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK(out);
	fprintf(out, "idmount journal 1\nboot %s\nnamespace %llu\nids %s\n", journal->boot,
		(unsigned long long)journal->namespace_inode, journal->unique_ids ? "unique" : "reused");
	for (size_t i = 0; i < journal->n; i++)
		print_entry(out, &journal->entries[i]);
	if (journal->complete)
		fputs("end\n", out);
	fclose(out);
	return text;
}

static void check_same(const struct idm_journal *a, const struct idm_journal *b)
{
	CHECK(strcmp(a->boot, b->boot) == 0);
	CHECK(a->namespace_inode == b->namespace_inode);
	CHECK(a->unique_ids == b->unique_ids && a->complete == b->complete && a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct idm_journal_entry *x = &a->entries[i], *y = &b->entries[i];

		CHECK(x->kind == y->kind && x->number == y->number && x->born == y->born);
		CHECK(strcmp(x->path, y->path) == 0);
	}
}

/* ---- the target ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = bytes_copy(data, size);
	AUTO_FREE char *printed = NULL;
	struct idm_journal journal, again;

	if (read_journal(&journal, text, size) < 0)
		return 0;
	for (size_t i = 0; i < journal.n; i++)
		check_path(&journal.entries[i]);
	/* A journal with fewer than five lines has nothing to undo, and nothing to print. */
	if (journal.n || journal.complete) {
		printed = print_journal(&journal);
		CHECK(read_journal(&again, printed, strlen(printed)) == 0);
		check_same(&journal, &again);
		idm_journal_free(&again);
	}
	idm_journal_free(&journal);
	return 0;
}
