// SPDX-License-Identifier: MIT
/*
 * Finding the ID-mapped among 10,000 mounts: the command beside findmnt(8), the library beside reading
 * mountinfo, and how both grow with the number of mounts beside the kernel's own calls.
 *
 *   list [IDMOUNT]    the command to be measured; without it, the library alone
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/mount-calls.h"
#include "bench/lib/userns-ways.h"

#define FEW 1000
#define MANY 10000
#define MAPPED 100

static int few, many, mapped; /* mounts */

/* ---- the mounts ---- */

static void put_mount(const char *source, const char *target, int userns)
{
	struct idm_error err;
	int tree = check_idm(idm_tree_open(AT_FDCWD, source, userns, NULL, &err), &err);

	check_idm(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
	close(tree);
}

/* Up to `to` mounts that are not mapped, of a directory whose path is as long as usual. */
static void add_mounts(int from, int to)
{
	char target[128];

	for (int i = from; i < to; i++) {
		snprintf(target, sizeof(target), PLACE "/containers/storage/%05d/merged", i);
		mkdir_all(target);
		put_mount(PLACE "/source", target, -1);
	}
}

static void add_mapped(void)
{
	char target[128];
	int userns = userns_ours();

	for (int i = 0; i < mapped; i++) {
		snprintf(target, sizeof(target), PLACE "/containers/mapped/%05d", i);
		mkdir_all(target);
		put_mount(PLACE "/source", target, userns);
	}
	close(userns);
}

/* ---- the ways ---- */

static int count(const struct idm_mount_info *mount, void *data)
{
	(void)mount;
	++*(int *)data;
	return 0;
}

static void ours(void)
{
	struct idm_error err;
	int n = 0;

	check_idm(idm_list(0, count, &n, &err), &err);
	if (n == mapped)
		return;
	fprintf(stderr, "%d mapped mounts were found, there are %d\n", n, mapped);
	exit(1);
}

/* mountinfo says "idmapped" and no more. */
static void read_mountinfo(void)
{
	static char text[65536];
	int fd = (int)check(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), "mountinfo");

	while (check(read(fd, text, sizeof(text)), "read") > 0)
		;
	close(fd);
}

static uint64_t ids[MANY + MAPPED + 1000];

static void listmount_alone(void)
{
	call_listmount(ALL_MOUNTS, ids, COUNT(ids));
}

/* The attributes of each, which alone tell whether it is mapped. */
static void bare(void)
{
	static char answer[512];
	size_t n = call_listmount(ALL_MOUNTS, ids, COUNT(ids));

	for (size_t i = 0; i < n; i++)
		call_statmount(ids[i], 2 /* MNT_BASIC */, answer, sizeof(answer));
}

static char *command;

static double list_command(const struct way *way)
{
	char list[] = "list";
	char *argv[] = { command, list, NULL };

	(void)way;
	return time_of_command(argv);
}

static double findmnt(const struct way *way)
{
	char name[] = "findmnt", option[] = "-O", word[] = "idmapped";
	char *argv[] = { name, option, word, NULL };

	(void)way;
	return time_of_command(argv);
}

enum { COMMAND, FINDMNT, LIST, BARE, LISTMOUNT, MOUNTINFO, WAYS };

static void measure_all(struct measured *m)
{
	static const struct way ways[WAYS] = {
		[COMMAND] = { .name = "idmount list", .sample = list_command },
		[FINDMNT] = { .name = "findmnt -O idmapped", .sample = findmnt },
		[LIST] = { .name = "idm_list", .go = ours, .times = 5 },
		[BARE] = { .name = "bare listmount, statmount", .go = bare, .times = 5 },
		[LISTMOUNT] = { .name = "bare listmount", .go = listmount_alone, .times = 5 },
		[MOUNTINFO] = { .name = "reading mountinfo", .go = read_mountinfo, .times = 5 },
	};

	measure(m, ways, WAYS, rounds(11));
}

/* ---- how much more many take than few ---- */

static void measure_growth(const struct measured *small, const struct measured *large)
{
	static const struct way ways[] = { { .name = "idm_list" },
					   { .name = "bare listmount, statmount" } };
	static struct measured m;
	struct row row = { .question = "listing: growth from 1,000 to 10,000 mounts",
			   .yardstick = 1,
			   .lower_bound = NO_WAY,
			   .at_most = 1.1,
			   .unit = "x" };

	m = (struct measured){ .ways = ways, .n = COUNT(ways), .rounds = small->rounds };
	for (int i = 0; i < m.rounds; i++) {
		m.value[0][i] = large->value[LIST][i] / median(small->value[LIST], m.rounds);
		m.value[1][i] = large->value[BARE][i] / median(small->value[BARE], m.rounds);
	}
	report(&m, &row);
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{ .question = "idmount list, 10,000 mounts, 100 of them mapped",
		  .ours = COMMAND,
		  .yardstick = FINDMNT,
		  .lower_bound = BARE,
		  .at_least = 10 },
		{ .question = "idm_list, 10,000 mounts, 100 of them mapped",
		  .ours = LIST,
		  .yardstick = MOUNTINFO,
		  .lower_bound = BARE,
		  .at_least = 10 },
		{ .question = "the same", .ours = LIST, .yardstick = BARE, .lower_bound = NO_WAY },
	};
	static struct measured small, large;

	if (argc != 2) {
		fprintf(stderr, "usage: %s IDMOUNT\n", argv[0]);
		return 2;
	}
	command = argv[1];
	few = is_smoke() ? 20 : FEW;
	many = is_smoke() ? 40 : MANY;
	mapped = is_smoke() ? 5 : MAPPED;
	userns_begin();
	enter_place();
	mkdir_all(PLACE "/source");
	add_mapped();
	add_mounts(0, few);
	measure_all(&small);
	add_mounts(few, many);
	measure_all(&large);
	report_all(&large, rows, COUNT(rows));
	measure_growth(&small, &large);
	return 0;
}
