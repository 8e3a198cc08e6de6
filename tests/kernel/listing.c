// SPDX-License-Identifier: MIT
#include "listing.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

char base[64];
char source[96];
static char own_source[96];
static int fds_before;

bool kernel_is(int major, int minor)
{
	struct utsname name;
	int a = 0, b = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &a, &b);
	return a > major || (a == major && b >= minor);
}

/* The newest level that this kernel really has. */
static enum idm_list_level newest(void)
{
	return kernel_is(6, 13)	  ? IDM_LIST_NEWEST
	       : kernel_is(6, 12) ? IDM_LIST_NAMESPACES
	       : kernel_is(6, 8)  ? IDM_LIST_STATMOUNT
				  : IDM_LIST_MOUNTINFO;
}

/* What a level comes to on this kernel. */
enum idm_list_level really(enum idm_list_level level)
{
	return level < newest() ? level : newest();
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

int do_mount(const char *what, const char *where, const char *type, unsigned long flags,
	     const char *data)
{
	return (int)syscall(SYS_mount, what, where, type, flags, data);
}

const char *at(const char *name)
{
	static char paths[8][4096];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

const char *made(const char *name)
{
	const char *path = at(name);

	mkdir(path, 0755);
	return path;
}

struct idm_map *map_of(const char *text)
{
	struct idm_map *map;
	struct idm_error err;

	if (idm_map_new(&map) < 0 || idm_map_parse(map, text, 0, &err) < 0)
		abort();
	return map;
}

/* A detached copy of what is at path, mapped unless map is NULL. */
int tree_of_map(int dirfd, const char *path, const struct idm_map *map)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int userns = map ? idm_userns_open(map, 0, NULL) : -1;
	int tree = idm_sys_open_tree(dirfd, path, OPEN_TREE_CLONE | AT_EMPTY_PATH);

	attr.userns_fd = (uint64_t)userns;
	if (tree >= 0 && map &&
	    (userns < 0 || idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)) {
		close(tree);
		tree = -1;
	}
	if (userns >= 0)
		close(userns);
	return tree;
}

int tree_of(const char *path, const char *text)
{
	struct idm_map *map = text ? map_of(text) : NULL;
	int tree = tree_of_map(AT_FDCWD, path, map);

	idm_map_free(map);
	return tree;
}

int attach(int tree, const char *target)
{
	int r = idm_sys_move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);

	close(tree);
	return r;
}

/* Mounts `what` at `target` with the map. */
int put(const char *what, const char *target, const char *text)
{
	int tree = tree_of(what, text);

	return tree < 0 ? tree : attach(tree, target);
}

/* ---- what was listed ---- */

int keep(const struct idm_mount *mount, void *data)
{
	struct list *list = data;
	struct seen *s;

	list->seen = reallocarray(list->seen, list->n + 1, sizeof(*list->seen));
	if (!list->seen)
		abort();
	s = &list->seen[list->n++];
	s->m = *mount;
	s->m.target = strdup(mount->target);
	s->m.source = strdup(mount->source);
	s->m.root = strdup(mount->root);
	s->m.fstype = strdup(mount->fstype);
	if (mount->map && idm_map_copy(mount->map, (struct idm_map **)&s->m.map) < 0)
		abort();
	return 0;
}

void forget(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct idm_mount *m = &list->seen[i].m;

		free((char *)m->target);
		free((char *)m->source);
		free((char *)m->root);
		free((char *)m->fstype);
		idm_map_free((struct idm_map *)m->map);
	}
	free(list->seen);
	*list = (struct list){ 0 };
}

struct list list_at(enum idm_list_level level, unsigned int flags)
{
	struct list list = { 0 };
	struct idm_error err;
	int r = level == IDM_LIST_NEWEST ? idm_list(flags, keep, &list, &err)
					 : idm_list_at(level, flags, keep, &list, &err);

	if (r) {
		fprintf(stderr, "idm_list: %d %s\n", r, err.message);
		forget(&list);
		list.n = (size_t)-1; /* no test expects as many */
	}
	return list;
}

const struct idm_mount *find(const struct list *list, const char *target)
{
	for (size_t i = 0; list->n != (size_t)-1 && i < list->n; i++)
		if (strcmp(list->seen[i].m.target, target) == 0)
			return &list->seen[i].m;
	return NULL;
}

/* How many are below base, the test's own. */
size_t ours(const struct list *list)
{
	size_t n = 0;

	for (size_t i = 0; list->n != (size_t)-1 && i < list->n; i++)
		n += strncmp(list->seen[i].m.target, base, strlen(base)) == 0;
	return n;
}

bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

/* Whether the mount has this map, or that it has one where the kernel does not tell. */
bool has_map(const struct idm_mount *m, enum idm_list_level level, const char *text)
{
	struct idm_map *map;
	bool same;

	if (!m || !(m->attr & IDM_ATTR_IDMAP))
		return false;
	if (level < IDM_LIST_NEWEST || !kernel_is(6, 15))
		return m->map_state == IDM_MAP_UNREADABLE && !m->map;
	map = map_of(text);
	same = m->map_state == IDM_MAP_READ && idm_map_equal(m->map, map);
	idm_map_free(map);
	return same;
}

/* ---- children ---- */

/*
 * The file of a mount namespace can be mounted only in one with a lower id. Each processor hands out ids
 * of its own, so that on one processor a later namespace has a higher id.
 */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

void go_anywhere(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

pid_t start(int (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(run());
	}
	return pid;
}

int in_child(int (*run)(void))
{
	pid_t pid = start(run);

	return pid < 0 ? 201 : wait_for(pid);
}

int private_mounts(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	return 0;
}

/*
 * In a PID namespace of its own, with its own /proc: what is found there does not depend on the machine.
 * All that is left behind in it ends with it.
 */
static int (*isolated)(void);

static int with_own_proc(void)
{
	CHECK(private_mounts() == 0);
	CHECK(do_mount("proc", "/proc", "proc", 0, NULL) == 0);
	return isolated();
}

static int in_pid_namespace(void)
{
	CHECK(unshare(CLONE_NEWPID) == 0);
	return in_child(with_own_proc);
}

int in_isolation(int (*run)(void))
{
	isolated = run;
	return in_child(in_pid_namespace);
}

/* A child that runs `prepare` and then waits; it is ended by close(*hold). */
pid_t start_holder(int (*prepare)(void), int *hold)
{
	int ready[2], held[2];
	char c = 1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(held, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(held[1]);
		close(ready[0]);
		c = (char)prepare();
		if (write(ready[1], &c, 1) != 1 || read(held[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(held[0]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1 || c != 0)
		c = 1;
	close(ready[0]);
	*hold = held[1];
	return c ? -1 : pid;
}

/* ---- set-up ---- */

static bool can_be_mapped(const char *path)
{
	int tree = tree_of(path, "0:0:1000");

	if (tree >= 0)
		close(tree);
	return tree >= 0;
}

int fresh_base(void **state)
{
	(void)state;
	fds_before = count_fds();
	assert_int_equal(do_mount("base", base, "tmpfs", 0, "mode=755"), 0);
	snprintf(source, sizeof(source), "%s/source", base);
	mkdir(source, 0755);
	if (!can_be_mapped(source))
		snprintf(source, sizeof(source), "%s", own_source);
	assert_true(can_be_mapped(source));
	mkdir(made("source"), 0755);
	return 0;
}

int nothing_left(void **state)
{
	(void)state;
	assert_int_equal(idm_sys_umount(base, MNT_DETACH), 0);
	assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1); /* no child, dead or alive */
	assert_int_equal(errno, ECHILD);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

int begin(void)
{
	char dir[] = "/tmp/idm-list-XXXXXX";

	stay_here();
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		fprintf(stderr, "needs root\n");
		return getenv("IDM_MUST_RUN") && strcmp(getenv("IDM_MUST_RUN"), "1") == 0 ? 1 : 77;
	}
	if (do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(dir))
		return 1;
	snprintf(base, sizeof(base), "%s", dir);
	snprintf(own_source, sizeof(own_source), "%s.source", dir);
	chmod(base, 0755);
	return mkdir(own_source, 0755) < 0;
}

int answer(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;

	(void)mount;
	return ++calls->n == 2 ? calls->answer : 0;
}
int path_is(enum idm_list_level level, int dirfd, const char *path, const char *target, const char *map)
{
	struct list list = { 0 };
	struct idm_error err = { 0 };
	int r = level == IDM_LIST_NEWEST ? idm_list_path(dirfd, path, keep, &list, &err)
					 : idm_list_path_at(level, dirfd, path, keep, &list, &err);
	bool right = r == 0 && list.n == 1 && strcmp(list.seen[0].m.target, target) == 0 &&
		     (map ? has_map(&list.seen[0].m, level, map)
			  : list.seen[0].m.map_state == IDM_MAP_NONE);

	if (!right)
		fprintf(stderr, "%d %s: %s\n", r, err.message, list.n ? list.seen[0].m.target : "");
	forget(&list);
	return right;
}

void end(void)
{
	rmdir(own_source);
	rmdir(base);
}
