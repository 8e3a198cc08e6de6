/* SPDX-License-Identifier: MIT */
/* What the tests of the listing share: mounts to make, lists to keep, children to look from. */
#ifndef LISTING_H
#define LISTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/kernel.h"
#include "lib/list.h"
#include "lib/util.h"

#define ALL IDM_LIST_ALL_NAMESPACES
#define UNMAPPED IDM_LIST_UNMAPPED

/* Every test's own tmpfs, and a directory that can be ID-mapped: in it or, before Linux 6.3, beside it.
 */
extern char base[64];
extern char source[96];

/* A check that also works in a child, where cmocka's would run on in the next test. */
#define CHECK(condition)                                                                          \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, \
				errno);                                                           \
			return 1;                                                                 \
		}                                                                                 \
	} while (0)

/* 0, or the exit status of a test that cannot be run. */
int begin(void);
void end(void);

/* Before and after every test: nothing may be left of it. */
int fresh_base(void **state);
int nothing_left(void **state);

bool kernel_is(int major, int minor);
/* What a level comes to on this kernel. */
enum idm_list_level really(enum idm_list_level level);

int do_mount(const char *what, const char *where, const char *type, unsigned long flags,
	     const char *data);
/* The path of a name below base; the last eight stay. */
const char *at(const char *name);
/* The same, with a directory there. */
const char *made(const char *name);
struct idm_map *map_of(const char *text);
/* A detached copy of what is at path, mapped unless map is NULL; or -1. */
int tree_of_map(int dirfd, const char *path, const struct idm_map *map);
int tree_of(const char *path, const char *text);
int attach(int tree, const char *target);
/* Mounts `what` at `target` with the map; NULL for none. */
int put(const char *what, const char *target, const char *text);

struct seen {
	struct idm_mount m; /* with strings and a map of its own */
};

struct list {
	struct seen *seen;
	size_t n;
};

int keep(const struct idm_mount *mount, void *data);
void forget(struct list *list);
/* What is listed; n is (size_t)-1 if that failed. */
struct list list_at(enum idm_list_level level, unsigned int flags);
const struct idm_mount *find(const struct list *list, const char *target);
/* How many are below base. */
size_t ours(const struct list *list);
bool ends_with(const char *s, const char *end);
/* Whether the mount has this map, or that it has one where the kernel does not tell. */
bool has_map(const struct idm_mount *m, enum idm_list_level level, const char *text);
/* Whether the mount that holds path is the one at target, with this map. */
int path_is(enum idm_list_level level, int dirfd, const char *path, const char *target, const char *map);

struct calls {
	int n, answer;
	struct list list;
};

/* A callback that counts in `struct calls`, and answers the second time. */
int answer(const struct idm_mount *mount, void *data);

int wait_for(pid_t pid);
pid_t start(int (*run)(void));
int in_child(int (*run)(void));
int private_mounts(void);
/* Runs it in a PID namespace of its own, with its own /proc and mounts. */
int in_isolation(int (*run)(void));
/* A child that runs `prepare` and then waits until *hold is closed. */
pid_t start_holder(int (*prepare)(void), int *hold);
void go_anywhere(void);

#define FOR_EACH_LEVEL(level) \
	for (enum idm_list_level level = IDM_LIST_MOUNTINFO; level <= IDM_LIST_NEWEST; level++)

/* Those that find other namespaces by ioctl, and those that look for them in /proc. */
#define FOR_EACH_LEVEL_BY_IOCTL(level) \
	FOR_EACH_LEVEL(level)          \
	if (really(level) >= IDM_LIST_NAMESPACES)
#define FOR_EACH_LEVEL_BY_PROC(level) \
	FOR_EACH_LEVEL(level)         \
	if (really(level) < IDM_LIST_NAMESPACES)

#endif
