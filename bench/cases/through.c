// SPDX-License-Identifier: MIT
/*
 * What it costs to work with files through a mapped mount instead of a plain bind mount: stat, create
 * and unlink, and reading 4 KiB. On a tmpfs, where nothing else takes long.
 *
 * The lower bound is a mount that bare calls have mapped. The library has no part in what is done
 * through a mount, so any longer time is the kernel's translation of IDs.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/userns-ways.h"

/* In each the caller, which is root, sees everything as its own. */
#define ROOTS PLACE "/roots"
#define SHIFTED PLACE "/shifted"

/* Few at a time: other work on the machine then meets all in the same way. */
#define TIMES 500
#define ROUNDS 801

enum { MAPPED, PLAIN, BARE, WAYS };

/* Names of one length. */
static struct place {
	char dir[64], file[64], new[64];
	int fd;
} places[WAYS];

static void stat_file(const struct place *p)
{
	struct stat st;

	check(stat(p->file, &st), p->file);
}

static void create_file(const struct place *p)
{
	close((int)check(open(p->new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), p->new));
}

static void unlink_file(const struct place *p)
{
	check(unlink(p->new), "unlink");
}

static void read_file(const struct place *p)
{
	char page[4096];

	check(pread(p->fd, page, sizeof(page), 0), "read");
}

struct call {
	const char *question;
	void (*go)(const struct place *p), (*undo)(const struct place *p);
};

static const struct call calls[] = {
	{ "stat through a mapped mount", stat_file, NULL },
	{ "create through a mapped mount", create_file, unlink_file },
	{ "unlink through a mapped mount", unlink_file, create_file },
	{ "read 4 KiB through a mapped mount", read_file, NULL },
};

/* One call, in one place. */
struct task {
	const struct call *call;
	const struct place *place;
};

static double sample(const struct way *way)
{
	const struct task *t = way->data;
	int n = times(TIMES);
	double start, sum = 0;

	/* Where there is something to unlink, it is there before. */
	if (t->call->undo == create_file)
		create_file(t->place);
	start = now();

	for (int i = 0; i < n; i++) {
		if (t->call->undo)
			start = now();
		t->call->go(t->place);
		if (t->call->undo) {
			sum += now() - start;
			t->call->undo(t->place);
		}
	}
	if (!t->call->undo)
		sum = now() - start;
	if (t->call->undo == create_file)
		unlink_file(t->place);
	return sum / n;
}

/* ---- the places ---- */

static void make_source(const char *dir, uid_t owner)
{
	char page[4096] = { 1 }, path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", dir);
	mkdir_all(dir);
	fd = (int)check(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), "create");
	check(write(fd, page, sizeof(page)), "write");
	check(fchown(fd, owner, owner), "chown");
	check(chown(dir, owner, owner), "chown");
	close(fd);
}

static void name_place(struct place *p, const char *name)
{
	snprintf(p->dir, sizeof(p->dir), PLACE "/%s", name);
	snprintf(p->file, sizeof(p->file), PLACE "/%s/file", name);
	snprintf(p->new, sizeof(p->new), PLACE "/%s/new", name);
	mkdir_all(p->dir);
}

static void mount_by_library(const char *target, int userns)
{
	struct idm_error err;
	int tree = check_idm(idm_tree_open(AT_FDCWD, SHIFTED, userns, NULL, &err), &err);

	check_idm(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
	close(tree);
}

static void mount_by_bare_calls(const char *target, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	int tree = (int)check(syscall(SYS_open_tree, AT_FDCWD, SHIFTED, OPEN_TREE_CLONE | O_CLOEXEC),
			      "open_tree");

	check(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)), "mount_setattr");
	check(syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH),
	      "move_mount");
	close(tree);
}

static void make_places(void)
{
	struct idm_map *map = new_map("100000:0:65536");
	struct idm_error err;
	int userns = check_idm(idm_userns_open(map, 0, &err), &err);

	name_place(&places[MAPPED], "mapped");
	name_place(&places[PLAIN], "binded");
	name_place(&places[BARE], "barely");
	check(mount(ROOTS, places[PLAIN].dir, NULL, MS_BIND, NULL), "bind");
	mount_by_library(places[MAPPED].dir, userns);
	mount_by_bare_calls(places[BARE].dir, userns);
	for (int i = 0; i < WAYS; i++)
		places[i].fd = (int)check(open(places[i].file, O_RDONLY | O_CLOEXEC), "open");
	close(userns);
	idm_map_free(map);
}

/* ---- the table ---- */

static void ask(const struct call *call)
{
	static struct measured m;
	struct task tasks[WAYS];
	struct way ways[WAYS] = { { .name = "mapped" }, { .name = "plain bind" }, { .name = "mapped" } };
	struct row row = { .question = call->question,
			   .ours = MAPPED,
			   .yardstick = PLAIN,
			   .lower_bound = BARE,
			   .at_most = 1.03 };

	for (int i = 0; i < WAYS; i++) {
		tasks[i] = (struct task){ call, &places[i] };
		ways[i].sample = sample;
		ways[i].data = &tasks[i];
	}
	measure(&m, ways, WAYS, rounds(ROUNDS));
	report(&m, &row);
}

int main(void)
{
	enter_place();
	make_source(ROOTS, 0);
	make_source(SHIFTED, 100000);
	make_places();
	for (size_t i = 0; i < COUNT(calls); i++)
		ask(&calls[i]);
	for (int i = 0; i < WAYS; i++)
		close(places[i].fd);
	return 0;
}
