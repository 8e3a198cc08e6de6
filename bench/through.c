// SPDX-License-Identifier: MIT
/*
 * What it costs to work with files through a mapped mount instead of a plain bind mount of the same
 * directory: stat, create and unlink, and reading 4 KiB. On a tmpfs, where nothing else takes long.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"
#include "userns-ways.h"

#define SOURCE PLACE "/source"
#define PLAIN PLACE "/plain"
#define MAPPED PLACE "/mapped"
#define TIMES 5000

static int plain_file, mapped_file;

static void stat_file(const char *path)
{
	struct stat st;

	check(stat(path, &st), path);
}

static void stat_plain(void)
{
	stat_file(PLAIN "/file");
}

static void stat_mapped(void)
{
	stat_file(MAPPED "/file");
}

static void create_file(const char *path)
{
	close((int)check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), path));
}

static void create_plain(void)
{
	create_file(PLAIN "/new");
}

static void create_mapped(void)
{
	create_file(MAPPED "/new");
}

static void unlink_plain(void)
{
	check(unlink(PLAIN "/new"), "unlink");
}

static void unlink_mapped(void)
{
	check(unlink(MAPPED "/new"), "unlink");
}

static void read_file(int fd)
{
	char page[4096];

	check(pread(fd, page, sizeof(page), 0), "read");
}

static void read_plain(void)
{
	read_file(plain_file);
}

static void read_mapped(void)
{
	read_file(mapped_file);
}

static void make_files(void)
{
	char page[4096] = { 1 };
	int fd;

	mkdir_all(SOURCE);
	mkdir_all(PLAIN);
	mkdir_all(MAPPED);
	fd = (int)check(open(SOURCE "/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), "create");
	check(write(fd, page, sizeof(page)), "write");
	close(fd);
}

/* What root makes in it belongs to 100000 on disk. */
static void mount_mapped(void)
{
	struct idm_map *map = new_map("100000:0:65536,0:100000:1");
	struct idm_error err;
	int userns = check_idm(idm_userns_open(map, 0, &err), &err);
	int tree = check_idm(idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, &err), &err);

	check_idm(idm_tree_attach(tree, AT_FDCWD, MAPPED, 0, IDM_PROPAGATION_DEFAULT, &err), &err);
	close(tree);
	close(userns);
	idm_map_free(map);
}

/* In turns of one, so that each finds the directory as the other left it. */
static void measure_calls(struct measured *m, int which)
{
	static struct way ways[][2] = {
		{ { .name = "mapped", .go = stat_mapped }, { .name = "plain bind", .go = stat_plain } },
		{ { .name = "mapped", .go = create_mapped, .undo = unlink_mapped },
		  { .name = "plain bind", .go = create_plain, .undo = unlink_plain } },
		{ { .name = "mapped", .go = unlink_mapped, .undo = create_mapped },
		  { .name = "plain bind", .go = unlink_plain, .undo = create_plain } },
		{ { .name = "mapped", .go = read_mapped }, { .name = "plain bind", .go = read_plain } },
	};

	for (int i = 0; i < 2; i++)
		ways[which][i].times = times(TIMES);
	measure(m, ways[which], 2, rounds(101));
}

int main(void)
{
	static const char *const questions[] = {
		"stat through a mapped mount",
		"create through a mapped mount",
		"unlink through a mapped mount",
		"read 4 KiB through a mapped mount",
	};
	static struct measured m;

	enter_place();
	make_files();
	check(mount(SOURCE, PLAIN, NULL, MS_BIND, NULL), "bind");
	mount_mapped();
	plain_file = (int)check(open(PLAIN "/file", O_RDONLY | O_CLOEXEC), "open");
	mapped_file = (int)check(open(MAPPED "/file", O_RDONLY | O_CLOEXEC), "open");
	for (int i = 0; i < (int)COUNT(questions); i++) {
		struct row row = { .question = questions[i],
				   .ours = 0,
				   .yardstick = 1,
				   .floor = NO_WAY,
				   .at_most = 1.03 };

		if (i == 2)
			create_plain(); /* for those that unlink */
		measure_calls(&m, i);
		report(&m, &row);
		if (i == 2)
			unlink_plain();
	}
	close(plain_file);
	close(mapped_file);
	return 0;
}
