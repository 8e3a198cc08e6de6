// SPDX-License-Identifier: MIT
/*
 * Other processes see nothing of an overlay but the overlay itself: no mount, no directory on the way to
 * it or back. A process in the same mount namespace looks as often as it can while a thousand are made
 * and unmounted: at the list of mounts, and at all directories where something could be made for a
 * while. From Linux 6.14 on it is told of every single mount as well.
 */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"

#define OVERLAYS (test_is_slow() ? 200 : 1000)
#define LAYERS 6
#define MAP "0:100000:65536"

#define STORE SCRATCH "/store"
#define TARGET SCRATCH "/targets/box"
#define UP STORE "/upper/up"
#define WORK STORE "/upper/work"

/* Linux 6.14, newer than the headers of some */
#define REPORT_MNT 0x00004000U
#define MARK_MNTNS 0x00000110U
#define MNT_ATTACHED 0x01000000U
#define MNT_DETACHED 0x02000000U

/* Where a directory might be made: each is empty, or holds only what is there before. */
static const char *const watched[] = {
	"/tmp", "/var/tmp",	"/run",	    "/dev/shm", SCRATCH,    SCRATCH "/here", SCRATCH "/targets",
	STORE,	STORE "/0",	STORE "/1", STORE "/2", STORE "/3", STORE "/4",	     STORE "/5",
	UP,	STORE "/upper",
};
#define N_TEMPORARY 4 /* of these that are the machine's, and get a tmpfs of the test */

/* ---- what is seen ---- */

#define TEXT_SIZE (1 << 20)

/* Both processes share it. */
static struct sight {
	unsigned int looks;		 /* at everything */
	unsigned int finals;		 /* of these with the overlay in its place */
	unsigned int mounts;		 /* other than that which came up */
	unsigned int directories;	 /* that came or went */
	unsigned int attached, detached; /* events, where there are some */
	bool events;
	char what[512]; /* the first thing that should not be there */
	char before[TEXT_SIZE];
} * sight;

static unsigned int now(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void count(unsigned int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_ACQ_REL);
}

static void see(unsigned int *counter, const char *what)
{
	if (!sight->what[0])
		snprintf(sight->what, sizeof(sight->what), "%s", what);
	count(counter);
}

/* ---- the watcher ---- */

struct watcher {
	int mountinfo, inotify, fanotify;
	char text[TEXT_SIZE];
};

static void read_mountinfo(int fd, char *text)
{
	size_t length = 0;
	ssize_t n;

	must(lseek(fd, 0, SEEK_SET));
	while ((n = must(read(fd, text + length, TEXT_SIZE - 1 - length))) > 0)
		length += (size_t)n;
	text[length] = '\0';
}

static bool is_final(const char *line)
{
	char point[PATH_MAX];
	const char *type = strstr(line, " - ");

	return sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 && strcmp(point, TARGET) == 0 &&
	       type && strncmp(type, " - overlay ", 11) == 0;
}

static void look_at_mounts(struct watcher *w)
{
	bool final = false;
	char *save;

	read_mountinfo(w->mountinfo, w->text);
	for (char *line = strtok_r(w->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strstr(sight->before, line))
			continue;
		if (is_final(line))
			final = true;
		else
			see(&sight->mounts, line);
	}
	if (final)
		count(&sight->finals);
}

static void look_at_directories(struct watcher *w)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;

	while ((n = read(w->inotify, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const void *)p;

			see(&sight->directories, e->len ? e->name : "directory events");
			p += sizeof(*e) + e->len;
		}
}

static void take_events(struct watcher *w)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;

	while (w->fanotify >= 0 && (n = read(w->fanotify, buf, sizeof(buf))) > 0)
		for (struct fanotify_event_metadata *e = (void *)buf; FAN_EVENT_OK(e, n);
		     e = FAN_EVENT_NEXT(e, n)) {
			if (e->mask & MNT_ATTACHED)
				count(&sight->attached);
			if (e->mask & MNT_DETACHED)
				count(&sight->detached);
		}
}

/* All mounts and unmounts of this mount namespace, each by itself; -1 before Linux 6.14. */
static int open_events(void)
{
	int fd = fanotify_init(REPORT_MNT | FAN_NONBLOCK | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE, 0);
	AUTO_CLOSE int ns = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));

	if (fd >= 0)
		must(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, MNT_ATTACHED | MNT_DETACHED, ns,
				   NULL));
	return fd;
}

static void open_watcher(struct watcher *w)
{
	w->mountinfo = (int)must(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
	w->inotify = (int)must(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		must(inotify_add_watch(w->inotify, watched[i], IN_CREATE | IN_DELETE | IN_MOVE));
	w->fanotify = open_events();
	sight->events = w->fanotify >= 0;
	read_mountinfo(w->mountinfo, sight->before);
}

/* One processor for the watcher and the others for us, so that neither waits for the other. */
static void part_processors(bool watcher)
{
	cpu_set_t set;
	int first = 0;

	must(sched_getaffinity(0, sizeof(set), &set));
	if (CPU_COUNT(&set) < 2)
		return;
	while (!CPU_ISSET(first, &set))
		first++;
	CPU_CLR(first, &set);
	if (watcher) {
		CPU_ZERO(&set);
		CPU_SET(first, &set);
	}
	must(sched_setaffinity(0, sizeof(set), &set));
}

static void watch_for_ever(void)
{
	static struct watcher w;

	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	part_processors(true);
	open_watcher(&w);
	for (;;) {
		look_at_mounts(&w);
		look_at_directories(&w);
		take_events(&w);
		count(&sight->looks);
	}
}

/* Until the watcher has looked at everything once more, from beginning to end. */
static void await_look(void)
{
	unsigned int looks = now(&sight->looks);

	while (now(&sight->looks) < looks + 2)
		sched_yield();
}

static pid_t start_watcher(void)
{
	pid_t pid;

	sight = mmap(NULL, sizeof(*sight), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sight != MAP_FAILED);
	pid = (pid_t)must(fork());
	if (pid == 0)
		watch_for_ever();
	part_processors(false);
	while (now(&sight->looks) == 0) {
		assert_int_equal(must(waitpid(pid, NULL, WNOHANG)), 0);
		sched_yield();
	}
	return pid;
}

static void stop_watcher(pid_t pid)
{
	await_look();
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	note("%u looks, %u at the overlay, %u mounts and %u directories else (%s), events: %s",
	     sight->looks, sight->finals, sight->mounts, sight->directories, sight->what,
	     sight->events ? "all" : "none");
}

/* ---- overlays ---- */

static struct idm_path layers[LAYERS];

static void enter(void)
{
	static char paths[LAYERS][64];

	scratch_enter();
	for (size_t i = 0; i < N_TEMPORARY; i++)
		do_mount("temporary", watched[i], "tmpfs", 0, NULL);
	for (unsigned int i = 0; i < LAYERS; i++) {
		char file[80];

		snprintf(paths[i], sizeof(paths[i]), STORE "/%u", i);
		snprintf(file, sizeof(file), STORE "/%u/%u", i, i);
		scratch_dir(paths[i]);
		owned_file(file, i, i);
		layers[i] = (struct idm_path){ AT_FDCWD, paths[i] };
	}
	scratch_dir(UP);
	scratch_dir(WORK);
	scratch_dir(TARGET);
	scratch_dir(SCRATCH "/here");
	must(chdir(SCRATCH "/here"));
}

static unsigned int numbered_flags(unsigned int i)
{
	static const unsigned int flags[] = {
		IDM_OVERLAY_IN_NAMESPACE,
		0,
		IDM_OVERLAY_BY_DESCRIPTOR,
		IDM_OVERLAY_BY_DESCRIPTOR | IDM_OVERLAY_CREATE_AS_ROOT,
	};

	return flags[i % (ARRAY_SIZE(flags) - 2 * kernel_is_before(6, 15))];
}

/* Every way, with every kind of upper directory, and any number of layers. */
static void make_overlay(const struct idm_map *map, struct rng *rng, unsigned int i)
{
	static const struct idm_path upper = { AT_FDCWD, UP }, work = { AT_FDCWD, WORK };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	unsigned int upper_ids = rng_below(rng, 3);
	AUTO_FD int tree = -1;
	struct idm_error err;

	o.flags = numbered_flags(i);
	o.map = map;
	o.lower = layers;
	o.n_lower = 2 + rng_below(rng, LAYERS - 1);
	if (upper_ids < 2) {
		o.upper = &upper;
		o.work = &work;
		o.upper_ids = upper_ids;
	}
	tree = (int)assert_ok(idm_overlay_open(&o, &err), &err);
	attach_at(tree, TARGET);
}

TEST_WITHIN(nothing_but_the_overlay_is_ever_seen, 4 * TEST_SECONDS)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct rng rng = rng_new(0);
	struct snapshot *before;
	struct idm_error err;
	pid_t watcher;

	enter();
	before = snapshot_take(SNAPSHOT_ALL);
	watcher = start_watcher();
	for (unsigned int i = 0; i < OVERLAYS; i++) {
		unsigned int finals = now(&sight->finals);

		make_overlay(map, &rng, i);
		await_look();
		assert_true(now(&sight->finals) > finals);
		assert_owner(TARGET "/1", 100001, 100001);
		assert_ok(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
	}
	stop_watcher(watcher);
	assert_string_equal(sight->what, "");
	assert_int_equal(sight->mounts, 0);
	assert_int_equal(sight->directories, 0);
	if (sight->events) {
		assert_int_equal(sight->attached, OVERLAYS);
		assert_int_equal(sight->detached, OVERLAYS);
	}
	munmap(sight, sizeof(*sight));
	snapshot_assert_same(before);
}

/* ---- the way of others, to see that the watcher sees ---- */

static void make_as_others_do(void)
{
	char directory[] = "/tmp/ovl-idmapped-XXXXXX", options[256];
	AUTO_FD int clone = tree_of(STORE, MAP);

	assert_non_null(mkdtemp(directory));
	must(idm_sys_move_mount(clone, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH));
	snprintf(options, sizeof(options), "lowerdir=%s/0:%s/1", directory, directory);
	do_mount("overlay", TARGET, "overlay", 0, options);
	do_umount(directory);
	must(rmdir(directory));
}

TEST(the_watcher_sees_the_way_of_others)
{
	unsigned int n = 0;
	pid_t watcher;

	enter();
	watcher = start_watcher();
	/* Till the list of mounts was read just then. All the rest is seen every time. */
	while (now(&sight->mounts) == 0) {
		make_as_others_do();
		do_umount_idle(TARGET);
		n++;
	}
	stop_watcher(watcher);
	note("seen after %u times", n);
	assert_true(sight->directories >= 2 * n);
	assert_contains(sight->what, "ovl-idmapped-");
	if (sight->events) {
		assert_int_equal(sight->attached, 2 * n);
		assert_int_equal(sight->detached, 2 * n);
	}
	munmap(sight, sizeof(*sight));
}
