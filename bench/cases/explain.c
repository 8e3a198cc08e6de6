// SPDX-License-Identifier: MIT
/*
 * Explaining all common accesses to a file below five directories, beside one access(2) to it: of this
 * process, and of root of a container whose tmpfs and mapped volume the path leads to.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/ordinary.h"

#define DEEP "/one/two/three/four/five"
#define MOST_US 5000

/* Of which process, and where in its mount namespace. */
static pid_t pid;
static const char *path;

static int judge(const struct idm_explain_info *place, void *data)
{
	static const enum idm_access accesses[] = { IDM_ACCESS_READ, IDM_ACCESS_WRITE,
						    IDM_ACCESS_EXECUTE };

	(void)data;
	for (size_t i = 0; i < COUNT(accesses); i++) {
		struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;
		struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;
		struct idm_error err;

		idm_explain_copy(place->facts, &facts);
		if (place->is_last)
			facts.access = accesses[i];
		check_idm(idm_explain(&facts, &result, &err), &err);
	}
	return 0;
}

static void explain(void)
{
	struct idm_error err;

	check_idm(idm_explain_path(pid, path, 0, judge, NULL, &err), &err);
}

static void call_access(void)
{
	check(access(PLACE DEEP "/file", R_OK), "access");
}

static void explain_and_report(const char *question)
{
	const struct way ways[] = { { .name = "idm_explain_path", .go = explain, .times = times(20) },
				    { .name = "access", .go = call_access, .times = times(20) } };
	const struct row row = { .question = question,
				 .ours = 0,
				 .yardstick = 1,
				 .lower_bound = NO_WAY,
				 .at_most_itself = MOST_US };
	struct measured m;

	measure(&m, ways, COUNT(ways), rounds(101));
	report(&m, &row);
}

static void make_file(const char *directory)
{
	char file[128];

	mkdir_all(directory);
	snprintf(file, sizeof(file), "%s/file", directory);
	close((int)check(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644), file));
}

static void map_volume(void)
{
	struct idm_map *map = new_map("0:200000:1000");
	struct idm_error err;
	int userns = check_idm(idm_userns_open(map, 0, &err), &err), tree;

	mkdir_all(PLACE "/volume");
	tree = check_idm(idm_tree_open(AT_FDCWD, PLACE "/one", userns, NULL, &err), &err);
	check_idm(idm_tree_attach(tree, AT_FDCWD, PLACE "/volume", NULL, &err), &err);
	close(tree);
	close(userns);
	idm_map_free(map);
}

/* The container tells that its files are there. */
static void run_container(void *data)
{
	const int *ready = data;

	check(mount("none", PLACE "/inside", "tmpfs", 0, NULL), "tmpfs");
	make_file(PLACE "/inside" DEEP);
	check(write(ready[1], "", 1), "write");
	pause();
}

static pid_t start_container(void)
{
	int ready[2];
	pid_t child;
	char byte;

	check(pipe2(ready, O_CLOEXEC), "pipe");
	child = start_ordinary_child(run_container, ready);
	check(read(ready[0], &byte, 1), "read");
	close(ready[0]);
	close(ready[1]);
	return child;
}

int main(void)
{
	enter_place();
	check(chmod(PLACE, 0755), PLACE);
	make_file(PLACE DEEP);
	mkdir_all(PLACE "/inside");
	map_volume();
	path = PLACE DEEP "/file";
	explain_and_report("explaining a path");
	pid = start_container();
	path = PLACE "/volume/two/three/four/five/file";
	explain_and_report("explaining a path, mapped, of a container");
	path = PLACE "/inside" DEEP "/file";
	explain_and_report("explaining a path, on a container's own tmpfs");
	stop_child(pid);
	return 0;
}
