// SPDX-License-Identifier: MIT
/*
 * What an overlay of ID-mapped layers costs from paths to gone again (make, attach, unmount): idmount,
 * and the way that others go: a mapped copy of the layers' common parent is attached at a temporary
 * directory, the layers are named by paths below it, and in the end the copy is unmounted and the
 * directory removed. They get their user namespace from a child that is killed. The same with a user
 * namespace by us shows what the overlay alone costs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/overlay-ways.h"
#include "bench/lib/userns-ways.h"
#include "bench/lib/workers.h"

#define TARGET PLACE "/run/engine/box/rootfs"
#define OTHERS PLACE "/run/others"

static struct idm_map *map;

/* ---- the library ---- */

static void ours_with(struct idm_overlay_options o)
{
	struct idm_error err;
	int tree;

	o.lower = layers;
	o.n_lower = n_layers;
	o.map = map;
	tree = check_idm(idm_overlay_open(&o, &err), &err);
	check_idm(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), &err);
	close(tree);
	check_idm(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
}

static void ours_by(unsigned int flags)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = flags;
	ours_with(o);
}

static void ours(void)
{
	ours_by(0);
}

static void in_namespace(void)
{
	ours_by(IDM_OVERLAY_IN_NAMESPACE);
}

static void in_staging(void)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = IDM_OVERLAY_IN_NAMESPACE;
	o.staging_fd = kept_staging();
	ours_with(o);
}

static void ours_with_upper_of(struct idm_overlay_options o, enum idm_upper_ids ids)
{
	static const struct idm_path upper = { AT_FDCWD, UPPER }, work = { AT_FDCWD, WORK };

	o.upper = &upper;
	o.work = &work;
	o.upper_ids = ids;
	ours_with(o);
}

static void ours_with_upper(unsigned int flags, enum idm_upper_ids ids)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = flags;
	ours_with_upper_of(o, ids);
}

static void upper_searched(void)
{
	ours_with_upper(0, IDM_UPPER_SHIFTED);
}

static void upper_cached(void)
{
	static struct idm_upper_cache *cache;
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	if (!cache)
		check(idm_upper_cache_new(&cache, NULL), "cache");
	o.upper_cache = cache;
	ours_with_upper_of(o, IDM_UPPER_SHIFTED);
}

static void upper_unused(void)
{
	ours_with_upper(IDM_OVERLAY_UPPER_UNUSED, IDM_UPPER_SHIFTED);
}

static void upper_mapped(void)
{
	ours_with_upper(0, IDM_UPPER_DISK);
}

static void upper_mapped_in_namespace(void)
{
	ours_with_upper(IDM_OVERLAY_IN_NAMESPACE, IDM_UPPER_DISK);
}

/* ---- theirs ---- */

static void unmount(void)
{
	check(umount2(TARGET, 0), "umount overlay");
}

static void fsconfig_strings(void)
{
	overlay_by_fsconfig(userns_ours(), TARGET, false);
	unmount();
}

static void fsconfig_upper(void)
{
	overlay_by_fsconfig(userns_ours(), TARGET, true);
	unmount();
}

static void fsconfig_strings_and_child(void)
{
	overlay_by_fsconfig(userns_fork_pause_kill(), TARGET, false);
	unmount();
}

static void one_string(void)
{
	overlay_by_one_string(userns_ours(), TARGET);
	unmount();
}

static void one_string_and_child(void)
{
	overlay_by_one_string(userns_fork_pause_kill(), TARGET);
	unmount();
}

/* ---- the calls without which it cannot be done, nothing checked ---- */

static void bare(void)
{
	overlay_by_bare_calls(TARGET);
	check(chdir("/"), "chdir"); /* no longer in the detached copy */
	unmount();
}

/* In a child that shares the memory and the descriptors, as with the library. */
struct bare_overlay {
	int staging, copy, tree;
};

static int open_bare_overlay(void *data)
{
	struct bare_overlay *o = data;

	o->tree = overlay_by_bare_calls_in(o->staging, o->copy);
	return 0;
}

static void bare_in_staging(void)
{
	int userns = userns_bare();
	struct bare_overlay o = { .staging = kept_staging(), .copy = clone_mapped(STORE, userns) };

	run_sharing(open_bare_overlay, &o);
	check(move_mount(o.tree, "", AT_FDCWD, TARGET, MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	close(o.tree);
	close(o.copy);
	close(userns);
	unmount();
}

/* ---- the table ---- */

enum {
	OURS,
	IN_NAMESPACE,
	STRINGS,
	STRINGS_CHILD,
	ONE_STRING,
	ONE_STRING_CHILD,
	BARE,
	BARE_IN_NAMESPACE,
	WAYS
};

/* What a neighbour does that can, and the same with a namespace as cheap as the library's. */
static void report_layers(const struct measured *m, bool fits)
{
	char question[64];
	struct row row = { .question = question, .ours = OURS, .lower_bound = BARE };

	snprintf(question, sizeof(question), "overlay of %zu mapped layers", n_layers);
	row.yardstick = fits ? ONE_STRING_CHILD : STRINGS_CHILD;
	row.at_most = n_layers <= 5 ? 1.0 : n_layers <= 50 ? 1.1 : 1.15;
	report(m, &row);
	row.at_most = 0;
	for (int w = fits ? ONE_STRING : STRINGS; w >= STRINGS; w -= 2) {
		row.yardstick = w;
		report(m, &row);
	}
	row.ours = IN_NAMESPACE;
	row.lower_bound = BARE_IN_NAMESPACE;
	row.yardstick = fits ? ONE_STRING_CHILD : STRINGS_CHILD;
	row.at_most = 1.1;
	snprintf(question, sizeof(question), "the same, in a namespace");
	report(m, &row);
}

static void measure_layers(void)
{
	static struct measured m;
	bool too_long = !layers_fit();
	bool no_strings = !is_kernel_since(6, 7); /* lowerdir+ */
	const struct way ways[WAYS] = {
		[OURS] = { .name = "idm_overlay_open", .go = ours },
		[IN_NAMESPACE] = { .name = "in a namespace", .go = in_namespace },
		[STRINGS] = { .name = "fsconfig, userns by us",
			      .go = fsconfig_strings,
			      .absent = no_strings },
		[STRINGS_CHILD] = { .name = "fsconfig, killed child",
				    .go = fsconfig_strings_and_child,
				    .absent = no_strings },
		[ONE_STRING] = { .name = "mount(2), userns by us",
				 .go = one_string,
				 .absent = too_long },
		[ONE_STRING_CHILD] = { .name = "mount(2), killed child",
				       .go = one_string_and_child,
				       .absent = too_long },
		[BARE] = { .name = "bare calls", .go = bare, .absent = !overlay_has_bare_calls() },
		[BARE_IN_NAMESPACE] = { .name = "bare calls",
					.go = bare_in_staging,
					.absent = !userns_has_bare() },
	};

	measure(&m, ways, WAYS, rounds(101));
	report_layers(&m, !too_long);
}

/* Of 5 layers, and of an upper directory that has disk IDs, which root in the map creates. */
static void measure_few_layers(void)
{
	const struct among_mounts subject = {
		.subject = "overlay of 5 mapped layers",
		.plain = in_namespace,
		.kept = in_staging,
		.bare = userns_has_bare() ? bare_in_staging : NULL,
		.theirs = one_string_and_child,
		.theirs_name = "mount(2), killed child",
		.times = times(4),
		.at_most = 1.1,
	};
	const struct grown_host hosts[] = {
		{ .way = { .name = "overlay of 5 layers",
			   .go = ours,
			   .times = times(4),
			   .absent = !is_kernel_since(6, 15) },
		  .bare = overlay_has_bare_calls() ? bare : NULL,
		  .at_most = 1.2 },
		{ .way = { .name = "overlay of 5 layers, copy of a staging namespace",
			   .go = in_staging,
			   .times = times(4) },
		  .bare = userns_has_bare() ? bare_in_staging : NULL,
		  .at_most = 1.2 },
	};
	const struct way ways[] = {
		{ .name = "overlay of 5 layers", .go = ours, .times = times(4) },
		{ .name = "overlay of 5 layers, in a namespace", .go = in_namespace, .times = times(4) },
		{ .name = "overlay of 5 layers, upper with disk IDs",
		  .go = upper_mapped,
		  .times = times(4) },
		{ .name = "overlay of 5 layers, upper with disk IDs, in a namespace",
		  .go = upper_mapped_in_namespace,
		  .times = times(4) },
	};

	n_layers = 5;
	measure_among_mounts(&subject, rounds(61));
	measure_mounts(hosts, COUNT(hosts), rounds(41));
	measure_memory(ways, COUNT(ways), rounds(61));
}

/* ---- an upper directory, on a host with many mounts ---- */

enum { UNUSED, SEARCHED, CACHED, UPPER_STRINGS, UPPER_WAYS };

static size_t mount_others(void)
{
	size_t n = is_smoke() ? 50 : 10000;

	for (size_t i = 0; i < n; i++) {
		char path[64];

		snprintf(path, sizeof(path), OTHERS "/%zu", i);
		mkdir_all(path);
		check(mount("other", path, "tmpfs", 0, NULL), "mount another filesystem");
	}
	return n;
}

/*
 * The search asks for each mount, which is the least without a cache. With one it lists the mounts. A
 * caller that needs no search has no such cost.
 */
static void measure_upper(void)
{
	static struct measured m;
	const struct way ways[UPPER_WAYS] = {
		[UNUSED] = { .name = "unused by the caller's word", .go = upper_unused },
		[SEARCHED] = { .name = "with the search for its use", .go = upper_searched },
		[CACHED] = { .name = "with a cache for the search", .go = upper_cached },
		[UPPER_STRINGS] = { .name = "fsconfig, userns by us",
				    .go = fsconfig_upper,
				    .absent = !is_kernel_since(6, 7) },
	};
	char question[64];
	struct row row = { .question = question,
			   .ours = UNUSED,
			   .yardstick = UPPER_STRINGS,
			   .lower_bound = NO_WAY,
			   .at_most = 1.2 };

	snprintf(question, sizeof(question), "overlay with upper, %zu mounts", mount_others());
	measure(&m, ways, UPPER_WAYS, rounds(51));
	report(&m, &row);
	row.at_most = 0;
	row.yardstick = SEARCHED;
	report(&m, &row);
	row.question = "the same, with a cache for the search";
	row.ours = CACHED;
	report(&m, &row);
	row.yardstick = UNUSED;
	report(&m, &row);
}

int main(int argc, char **argv)
{
	static const char *const defaults[] = { "5", "50", "400" };
	int n = argc > 1 ? argc - 1 : 3;

	userns_begin();
	enter_place();
	mkdir_all(TARGET);
	make_layers();
	map = new_map(USERNS_MAP);
	for (int i = 0; i < n; i++) {
		const char *text = argc > 1 ? argv[i + 1] : defaults[i];
		char *end;

		n_layers = strtoul(text, &end, 10);
		if (*end || n_layers < 2 || n_layers > MOST_LAYERS) {
			fprintf(stderr, "usage: %s [LAYERS]...   (2 to %d)\n", argv[0], MOST_LAYERS);
			return 2;
		}
		measure_layers();
	}
	measure_few_layers();
	measure_upper();
	return 0;
}
