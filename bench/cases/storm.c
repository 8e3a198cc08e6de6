// SPDX-License-Identifier: MIT
/*
 * A node that starts 100 containers at once: each thread makes an overlay of 50 layers with a map of its
 * own, and attaches it. The same with few mounts on the host and with 5,000, and how many events the
 * host's mount table has of it. Unmounting is not timed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/overlay-ways.h"
#include "bench/lib/userns-ways.h"
#include "bench/lib/workers.h"

#define CONTAINERS 100
#define LAYERS 50

static struct container {
	struct idm_map *map;
	char target[64];
} containers[CONTAINERS];

static int staging, host; /* mount namespaces */

static int open_userns(const struct container *c)
{
	struct idm_error err;

	return check_idm(idm_userns_open(c->map, 0, &err), &err);
}

/* ---- the library ---- */

static void start_by_library(const struct container *c, unsigned int flags)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_error err;
	int tree;

	o.flags = flags;
	o.lower = layers;
	o.n_lower = n_layers;
	o.map = c->map;
	o.staging_fd = staging;
	tree = check_idm(idm_overlay_open(&o, &err), &err);
	check_idm(idm_tree_attach(tree, AT_FDCWD, c->target, NULL, &err), &err);
	close(tree);
}

static void by_descriptor(const struct container *c)
{
	start_by_library(c, IDM_OVERLAY_BY_DESCRIPTOR);
}

static void in_namespace(const struct container *c)
{
	start_by_library(c, IDM_OVERLAY_IN_NAMESPACE);
}

/* ---- engines ---- */

static void by_parent(const struct container *c)
{
	overlay_by_one_string(open_userns(c), c->target);
}

static void by_layers(const struct container *c)
{
	overlay_by_mapped_layers(open_userns(c), c->target);
}

/* ---- the calls without which it cannot be done, nothing checked; all with one map ---- */

/* In a working directory of this thread alone. */
static void bare_by_descriptor(const struct container *c)
{
	check(unshare(CLONE_FS), "unshare");
	overlay_by_bare_calls(c->target);
}

static void bare_in_namespace(const struct container *c)
{
	int userns = userns_bare(), copy = clone_mapped(STORE, userns), overlay;

	check(unshare(CLONE_FS), "unshare");
	overlay = overlay_by_bare_calls_in(staging, copy);
	check(setns(host, CLONE_NEWNS), "setns");
	check(move_mount(overlay, "", AT_FDCWD, c->target, MOVE_MOUNT_F_EMPTY_PATH), c->target);
	close(overlay);
	close(copy);
	close(userns);
}

/* ---- all at once ---- */

enum { DESCRIPTOR, NAMESPACE, PARENT, LAYER, BARE_DESCRIPTOR, BARE_NAMESPACE, WAYS };

static const struct kind {
	const char *name;
	void (*start)(const struct container *c);
} kinds[WAYS] = {
	[DESCRIPTOR] = { "by descriptor", by_descriptor },
	[NAMESPACE] = { "in a namespace", in_namespace },
	[PARENT] = { "common parent attached", by_parent },
	[LAYER] = { "each layer attached", by_layers },
	[BARE_DESCRIPTOR] = { "bare calls", bare_by_descriptor },
	[BARE_NAMESPACE] = { "bare calls", bare_in_namespace },
};

static void start_container(int i, const void *data)
{
	const struct kind *kind = data;

	kind->start(&containers[i]);
}

static double start_all(const struct kind *kind)
{
	return time_of_threads(times(CONTAINERS), start_container, kind) / 1e3;
}

static void unmount_all(void)
{
	for (int i = 0; i < times(CONTAINERS); i++)
		check(umount2(containers[i].target, 0), containers[i].target);
}

static double milliseconds(const struct way *way)
{
	double ms = start_all(way->data);

	unmount_all();
	return ms;
}

/* ---- a watcher of the host's mount table, since Linux 6.14 ---- */

#define REPORT_MNT 0x00004000U	/* FAN_REPORT_MNT */
#define MARK_MNTNS 0x00000110U	/* FAN_MARK_MNTNS */
#define MNT_CHANGE 0x03000000UL /* FAN_MNT_ATTACH | FAN_MNT_DETACH */

static int open_watch(void)
{
	int watch = fanotify_init(REPORT_MNT | FAN_UNLIMITED_QUEUE | FAN_NONBLOCK | FAN_CLOEXEC, 0);

	check(watch, "fanotify_init");
	check(fanotify_mark(watch, FAN_MARK_ADD | MARK_MNTNS, MNT_CHANGE, host, NULL), "fanotify_mark");
	return watch;
}

/* A mount that moves is detached and attached in one event, and none here moves. */
static int read_events(int watch)
{
	static char buffer[65536] __attribute__((aligned(8)));
	int events = 0;
	ssize_t n;

	while ((n = read(watch, buffer, sizeof(buffer))) > 0)
		for (const struct fanotify_event_metadata *e = (const void *)buffer; FAN_EVENT_OK(e, n);
		     e = FAN_EVENT_NEXT(e, n))
			events += __builtin_popcountll(e->mask & MNT_CHANGE);
	check(errno == EAGAIN ? 0 : -1, "read");
	return events;
}

static double count_events(const struct way *way)
{
	int watch = open_watch(), events;

	start_all(way->data);
	events = read_events(watch);
	close(watch);
	unmount_all();
	return events;
}

/* ---- the tables ---- */

static void make_ways(struct way *ways, double (*sample)(const struct way *way))
{
	for (int w = 0; w < WAYS; w++)
		ways[w] = (struct way){ .name = kinds[w].name, .sample = sample, .data = &kinds[w] };
	ways[DESCRIPTOR].absent = !is_kernel_since(6, 15);
	ways[BARE_DESCRIPTOR].absent = !overlay_has_bare_calls();
	ways[BARE_NAMESPACE].absent = !userns_has_bare();
}

static void report_times(const struct measured *m, const char *host_name, int ours)
{
	char question[96];
	struct row row = { .question = question, .ours = ours, .yardstick = PARENT, .unit = "ms" };

	snprintf(question, sizeof(question), "100 containers at once, %s, %s", kinds[ours].name,
		 host_name);
	row.lower_bound = ours == DESCRIPTOR ? BARE_DESCRIPTOR : BARE_NAMESPACE;
	row.at_most = 0.9;
	report(m, &row);
	row.yardstick = LAYER;
	row.at_most = 0;
	report(m, &row);
}

static void measure_times(const char *host_name, int n)
{
	static struct measured m;
	struct way ways[WAYS];

	make_ways(ways, milliseconds);
	measure(&m, ways, WAYS, rounds(n));
	report_times(&m, host_name, DESCRIPTOR);
	report_times(&m, host_name, NAMESPACE);
}

/* One for each container is the least. */
static void report_events(const struct measured *m, int ours)
{
	char question[96];
	struct row row = { .question = question, .ours = ours, .yardstick = NO_WAY, .unit = "events" };

	row.lower_bound = NO_WAY;
	row.at_most_itself = CONTAINERS;
	snprintf(question, sizeof(question), "mount events of 100 containers, %s", kinds[ours].name);
	report(m, &row);
	row.at_most_itself = 0;
	row.yardstick = PARENT;
	report(m, &row);
	row.yardstick = LAYER;
	report(m, &row);
}

static void measure_events(void)
{
	static struct measured m;
	struct way ways[WAYS];

	make_ways(ways, count_events);
	for (int w = 0; w < WAYS; w++)
		ways[w].absent = ways[w].absent || !is_kernel_since(6, 14);
	measure(&m, ways, WAYS, rounds(3));
	report_events(&m, DESCRIPTOR);
	report_events(&m, NAMESPACE);
}

static int count_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int n = 0, c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static void prepare(void)
{
	struct idm_error err;

	make_layers();
	n_layers = (size_t)times(LAYERS);
	for (int i = 0; i < CONTAINERS; i++) {
		struct container *c = &containers[i];
		char map[64];

		snprintf(map, sizeof(map), "0:%d:65536", 100000 + 65536 * i);
		c->map = new_map(map);
		snprintf(c->target, sizeof(c->target), PLACE "/run/engine/%d/rootfs", i);
		mkdir_all(c->target);
	}
	staging = check_idm(idm_staging_open(0, &err), &err);
	host = (int)check(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), "mnt");
}

int main(void)
{
	int few = count_mounts();

	userns_begin();
	enter_place();
	prepare();
	measure_times("few mounts", 15);
	measure_events();
	add_mounts(few, is_smoke() ? few + 50 : 5000);
	measure_times("5,000 mounts", 9);
	return 0;
}
