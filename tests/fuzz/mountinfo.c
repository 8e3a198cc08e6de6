// SPDX-License-Identifier: MIT
/*
 * Lines of /proc/PID/mountinfo. The first byte selects whether the rest is such a text, or fields. The
 * test formats fields to a line as the kernel does. The library has to read the same fields from it.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz-procfs.h"
#include "fuzz.h"
#include "lib/list/internal.h"

static const struct idm_mount_ns ns = { .id = 1, .inode = 2 };

/* ---- any text ---- */

static int count_mount(const struct idm_mount_info *mount, void *data)
{
	check_mount(mount);
	CHECK(mount->namespace_id == ns.id);
	++*(size_t *)data;
	return 0;
}

static size_t list(unsigned int flags)
{
	size_t n = 0;
	struct idm_error err;
	struct idm_lister lister = { IDM_LIST_MOUNTINFO, flags, count_mount, &n, &err };

	CHECK(idm_mountinfo_list(&lister, &ns, -1) == 0);
	return n;
}

static void check_text(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = bytes_copy(data, size);
	size_t lines = size && data[size - 1] != '\n' ? 1 : 0;

	/* The kernel writes no NUL. */
	if (size && memchr(data, '\0', size))
		return;
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	set_mountinfo(text, size);
	CHECK(list(IDM_LIST_UNMAPPED) == lines);
	CHECK(list(0) <= lines);
}

/* ---- a line as the kernel writes it ---- */

struct fields {
	char strings[4][256]; /* root, target, fstype, source */
	uint32_t id, parent;
	uint8_t words, propagation;
};

static void take_string(struct input *in, char s[256])
{
	size_t n = take_number(in, 1);

	for (size_t i = 0; i < 255; i++) {
		s[i] = i < n ? (char)take_number(in, 1) : '\0';
		if (!s[i])
			return;
	}
}

/* Like mangle() in the kernel's fs/proc_namespace.c, for the characters that show_mountinfo() escapes.
 */
static void print_escaped(FILE *out, const char *s)
{
	for (; *s; s++)
		if (strchr(" \t\n\\#", *s))
			fprintf(out, "\\%03o", (unsigned char)*s);
		else
			fputc(*s, out);
}

static const char *const attributes[] = { ",nosuid",	 ",nodev",    ",noexec",      ",noatime",
					  ",nodiratime", ",relatime", ",nosymfollow", ",idmapped" };
static const uint32_t bits[] = { IDM_ATTR_NOSUID,      IDM_ATTR_NODEV,	    IDM_ATTR_NOEXEC,
				 IDM_ATTR_NOATIME,     IDM_ATTR_NODIRATIME, 0,
				 IDM_ATTR_NOSYMFOLLOW, IDM_ATTR_IDMAP };

static char *print_line(const struct fields *f, size_t *size)
{
	static const char *const propagations[] = { "",
						    " shared:1",
						    " master:2",
						    " shared:1 master:2",
						    " master:2 propagate_from:3",
						    " unbindable" };
	char *text;
	FILE *out = open_memstream(&text, size);

	CHECK(out);
	fprintf(out, "%u %u 0:1 ", f->id, f->parent);
	print_escaped(out, f->strings[0]);
	fputc(' ', out);
	print_escaped(out, f->strings[1]);
	fputs(" rw", out);
	for (size_t i = 0; i < 8; i++)
		if (f->words & 1U << i)
			fputs(attributes[i], out);
	fprintf(out, "%s - ", propagations[f->propagation % 6]);
	print_escaped(out, f->strings[2]);
	fputc(' ', out);
	print_escaped(out, f->strings[3]);
	fputs(" rw,size=1\n", out);
	fclose(out);
	return text;
}

static int compare(const struct idm_mount_info *mount, void *data)
{
	static const enum idm_propagation propagations[] = {
		IDM_PROPAGATION_PRIVATE, IDM_PROPAGATION_SHARED, IDM_PROPAGATION_SLAVE,
		IDM_PROPAGATION_SHARED,	 IDM_PROPAGATION_SLAVE,	 IDM_PROPAGATION_UNBINDABLE,
	};
	const struct fields *f = data;
	uint32_t attr = 0;

	check_mount(mount);
	for (size_t i = 0; i < 8; i++)
		attr |= f->words & 1U << i ? bits[i] : 0;
	if (!(f->words & (1U << 3 | 1U << 5)))
		attr |= IDM_ATTR_STRICTATIME;
	CHECK(mount->attr == attr);
	CHECK(mount->id == f->id && mount->parent_id == f->parent);
	CHECK(strcmp(mount->root, f->strings[0]) == 0);
	CHECK(strcmp(mount->target, f->strings[1]) == 0);
	CHECK(strcmp(mount->fstype, f->strings[2]) == 0);
	CHECK(strcmp(mount->source, f->strings[3]) == 0);
	CHECK(mount->propagation == propagations[f->propagation % 6]);
	return 77;
}

static void check_fields(struct input in)
{
	AUTO_FREE char *text = NULL;
	struct fields f = { 0 };
	struct idm_error err;
	struct idm_lister lister = { IDM_LIST_MOUNTINFO, 0, compare, &f, &err };
	size_t size;

	f.id = (uint32_t)take_number(&in, 4);
	f.parent = (uint32_t)take_number(&in, 4);
	f.words = (uint8_t)take_number(&in, 1);
	f.propagation = (uint8_t)take_number(&in, 1);
	for (size_t i = 0; i < 4; i++)
		take_string(&in, f.strings[i]);
	text = print_line(&f, &size);
	set_mountinfo(text, size);
	CHECK(idm_mountinfo_one(&lister, &ns, f.id) == 77);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (*data == 'L')
		check_fields((struct input){ data + 1, size - 1 });
	else
		check_text(data + 1, size - 1);
	set_mountinfo("", 0);
	return 0;
}
