/* SPDX-License-Identifier: MIT */
/*
 * A program of the time of 0.1, in strict C11 with the header of that release. It calls every function
 * of that header at least once. It has to build and run, unchanged, with the shared library of today.
 * Without root the library refuses more of its calls; a refusal is an answer, too.
 */
#include "idmount-0.1.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HERE (-100) /* AT_FDCWD, which C11 does not know */

static int number, failed, root;
static struct idm_error err;

static void tell(const char *what, int good)
{
	if (!good && err.message[0])
		printf("# %s\n", err.message);
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, what);
	failed |= !good;
	err.message[0] = '\0';
}

/* It succeeds for root. For other users it may fail, with a message. */
static int with_root(int r)
{
	return r >= 0 || (!root && err.errnum == -r && err.message[0]);
}

static int close_it(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd;
}

static int count_mount(const struct idm_mount_info *mount, void *data)
{
	++*(int *)data;
	return IDM_HAS(mount, map) && mount->target && mount->fstype &&
			       mount->map_state <= IDM_MAP_UNREADABLE
		       ? 0
		       : 1;
}

static int count_feature(const struct idm_feature_info *feature, void *data)
{
	++*(int *)data;
	return IDM_HAS(feature, errnum) && feature->name[0] && feature->since[0] ? 0 : 1;
}

static int count_step(size_t done, size_t all, void *data)
{
	*(int *)data += done <= all;
	return 0;
}

/* ---- maps ---- */

static void of_maps(struct idm_map *map)
{
	static const struct idm_entry entry = { 5, 7, 1 };
	const struct idm_entry *entries;
	struct idm_hardening_info why;
	struct idm_map *other;
	char text[128] = "";
	uint32_t id = 0;

	tell("a map is parsed", idm_map_parse(map, "0:100000:1000", 0, &err) == 0);
	tell("and copied", idm_map_copy(map, &other) == 0 && idm_map_equal(map, other));
	tell("a disk ID is translated", idm_map_to_seen(map, IDM_UID, 5, &id) == 0 && id == 100005);
	tell("and a seen ID", idm_map_to_disk(map, IDM_GID, 100007, &id) == 0 && id == 7);
	tell("it has entries",
	     idm_map_entries(map, IDM_UID, &entries) == 1 && entries[0].seen == 100000);
	tell("it is to be hardened", idm_map_hardening(map, IDM_HARDEN_MOUNT, NULL, &why) ==
						     (IDM_ATTR_NOSUID | IDM_ATTR_NODEV) &&
					     why.kind == IDM_UID && why.disk == 0 && why.seen == 100000);
	tell("it is good", idm_map_check(map, &err) == 0);
	idm_map_invert(other);
	tell("it is composed", idm_map_compose(other, map) == 0 &&
				       idm_map_to_seen(other, IDM_UID, 100005, &id) == 0 &&
				       id == 100005);
	tell("what overlaps is not added", idm_map_add(map, IDM_BOTH, &entry, 1, &err) < 0);
	idm_map_free(other);

	tell("another map is made", idm_map_new(&other) == 0);
	tell("lines are parsed", idm_map_parse_kernel(other, IDM_UID, "0 5 1\n", &err) == 0);
	tell("the rest is kept", idm_map_keep_rest(other, IDM_GID, &err) == 0);
	tell("and that within another", idm_map_keep_rest_within(other, IDM_GID, map, &err) == 0);
	tell("it is printed", idm_map_print(other, IDM_FORMAT_TEXT, IDM_BOTH, text, sizeof(text)) > 0 &&
				      strcmp(text, "u:0:5:1,g:0:0:4294967295") == 0);
	idm_map_free(other);

	tell("another map is made", idm_map_new(&other) == 0);
	tell("the caller's is read", idm_map_add_pid(other, getpid(), &err) == 0);
	tell("an unknown user is refused", idm_map_add_subid(other, "no-such-user", &err) < 0);
	tell("and what is no namespace", idm_map_add_userns(other, -1, &err) < 0);
	idm_map_free(other);
}

/* ---- mounts ---- */

static void of_mounts(const struct idm_map *map)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
	struct idm_overlay_options overlay = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_check_result check = IDM_CHECK_RESULT_INIT;
	struct idm_userns_cache *cache;
	struct idm_upper_cache *uppers;
	int mounts = 0, features = 0, tree;
	struct idm_map *of_mount;
	char text[64];

	tell("a namespace is made", with_root(close_it(idm_userns_open(map, 0, &err))));
	tell("and one of a cache", idm_userns_cache_new(4, &cache, &err) == 0 &&
					   with_root(close_it(idm_userns_cache_open(cache, map, &err))));
	idm_userns_cache_free(cache);
	options.attr_set = IDM_ATTR_RDONLY | IDM_ATTR_NOSUID;
	tree = idm_tree_open(HERE, "/", -1, &options, &err);
	tell("a tree is opened", with_root(tree));
	tell("but not attached to nothing",
	     idm_tree_attach(tree, HERE, "/nothing/there", &attach, &err) < 0);
	close_it(tree);
	tell("nothing is unmounted", idm_umount(HERE, "/nothing/there", IDM_UMOUNT_LAZY, &err) < 0);
	tell("nor what is no mount", idm_umount_fd(-1, IDM_UMOUNT_LAZY, &err) < 0 &&
					     idm_error_step_text(err.step)[0] &&
					     idm_error_part(&err, err.reason, text, sizeof(text)) > 0);
	tell("whose map is not there",
	     idm_map_new(&of_mount) == 0 && idm_map_add_mount(of_mount, -1, &err) < 0);
	idm_map_free(of_mount);
	tell("a staging namespace is opened", with_root(close_it(idm_staging_open(0, &err))));
	tell("a cache of overlays is made", idm_upper_cache_new(&uppers, &err) == 0);
	overlay.upper_cache = uppers;
	tell("no layers, no overlay", idm_overlay_open(&overlay, &err) == -22 /* EINVAL */);
	idm_upper_cache_free(uppers);
	tell("mounts are listed",
	     idm_list(IDM_LIST_UNMAPPED, count_mount, &mounts, &err) == 0 && mounts > 1);
	tell("and one of them", idm_list_path(HERE, "/", 0, count_mount, &mounts, &err) == 0);
	tell("features are found", idm_features(0, count_feature, &features, &err) == 0 && features > 4);
	tell("a path is checked", with_root(idm_check_path(HERE, "/", 0, &check, NULL, &err)));
}

static void of_defaults(void)
{
	struct idm_tree_options tree;
	struct idm_attach_options attach;
	struct idm_mount_options mount;
	struct idm_overlay_options overlay;
	struct idm_plan_add_options add;
	struct idm_plan_read_options text;
	struct idm_plan_apply_options apply;
	struct idm_check_result check;
	struct idm_explain_inode inode;
	struct idm_explain_options facts;
	struct idm_explain_result verdict;
	struct idm_child_mount child_mount;
	struct idm_child_options child;

	idm_tree_options_init(&tree, sizeof(tree));
	idm_attach_options_init(&attach, sizeof(attach));
	idm_mount_options_init(&mount, sizeof(mount));
	idm_overlay_options_init(&overlay, sizeof(overlay));
	idm_plan_add_options_init(&add, sizeof(add));
	idm_plan_read_options_init(&text, sizeof(text));
	idm_plan_apply_options_init(&apply, sizeof(apply));
	idm_check_result_init(&check, sizeof(check));
	idm_explain_inode_init(&inode, sizeof(inode));
	idm_explain_options_init(&facts, sizeof(facts));
	idm_explain_result_init(&verdict, sizeof(verdict));
	idm_child_mount_init(&child_mount, sizeof(child_mount));
	idm_child_options_init(&child, sizeof(child), sizeof(child_mount));
	tell("structs have defaults",
	     tree.size == sizeof(tree) && attach.size == sizeof(attach) && mount.source_dirfd == HERE &&
		     overlay.staging_fd == -1 && add.dirfd == HERE && text.dirfd == HERE &&
		     apply.staging_fd == -1 && check.size == sizeof(check) &&
		     inode.size == sizeof(inode) && facts.new_uid == IDM_EXPLAIN_NO_ID &&
		     verdict.capability == -1 && child_mount.tree_fd == -1 && child.root_fd == -1);
	tell("a mount of nothing is refused",
	     idm_mount("0:1:1", "/nothing/there", "/nothing/there", &mount, &err) < 0);
}

static void of_iterators(void)
{
	struct idm_list_iter *mounts = NULL, *mount = NULL;
	struct idm_feature_iter *features = NULL;
	struct idm_explain_iter *places = NULL;

	tell("there are iterators", idm_list_iter_new(IDM_LIST_UNMAPPED, &mounts, &err) == 0 &&
					    idm_list_path_iter_new(HERE, "/", 0, &mount, &err) == 0 &&
					    idm_feature_iter_new(0, &features, &err) == 0 &&
					    idm_explain_iter_new(0, "/", 0, &places, &err) == 0);
	tell("with mounts", idm_list_iter_next(mounts)->target[0] == '/' &&
				    strcmp(idm_list_iter_next(mount)->target, "/") == 0 &&
				    !idm_list_iter_next(mount));
	tell("features", idm_feature_iter_next(features)->name[0] != '\0');
	tell("and places", idm_explain_iter_next(places)->is_last && !idm_explain_iter_next(places));
	idm_list_iter_free(mount);
	idm_list_iter_free(mounts);
	idm_feature_iter_free(features);
	idm_explain_iter_free(places);
	mounts = NULL;
	features = NULL;
	places = NULL;
	idm_list_iter_freep(&mounts);
	idm_feature_iter_freep(&features);
	idm_explain_iter_freep(&places);
}

static int stop_at_once(const struct idm_explain_info *place, void *data)
{
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;

	idm_explain_copy(place->facts, &facts);
	*(unsigned int *)data = facts.inode->mode >> 12;
	return 1;
}

static void of_access(void)
{
	unsigned int type = 0;
	struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	inode.mode = 0100400;
	facts.access = IDM_ACCESS_WRITE;
	facts.inode = &inode;
	tell("an access is explained", idm_explain(&facts, &result, &err) == 0 &&
					       result.rule == IDM_RULE_PERMISSION &&
					       result.missing == 2 && result.errnum == 13 /* EACCES */);
	tell("the facts of a path are collected",
	     idm_explain_path(0, "/", 0, stop_at_once, &type, &err) == 1 && type == 4 /* a directory */);
}

static void of_plans(void)
{
	static const char text[] =
		"[{\"Type\":\"bind\",\"Source\":\"/\",\"Options\":[\"bind\",\"ro\"]}]";
	struct idm_plan_add_options mount = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	struct idm_plan_apply_options apply = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_hardening_info why;
	struct idm_plan *plan;
	int steps = 0;

	mount.type = "tmpfs";
	mount.source = "none";
	mount.target = "/dev";
	apply.progress = count_step;
	apply.progress_data = &steps;
	tell("a plan is made", idm_plan_new(&plan) == 0);
	tell("and read", idm_plan_read(plan, text, sizeof(text) - 1, &how, &err) == 0);
	tell("it needs no hardening", idm_plan_harden(plan, NULL, &why) == 0 && why.kind == 0);
	tell("a mount is added", idm_plan_add(plan, &mount, &err) == 0);
	tell("it is opened", with_root(close_it(idm_plan_open(plan, &apply, &err))));
	tell("step by step", steps == 2 || !root);
	tell("but not applied to nothing",
	     idm_plan_apply(plan, HERE, "/nothing/there", &apply, &err) < 0);
	tell("so there is nothing to undo", idm_plan_undo("/nothing/there", 0, &err) < 0);
	idm_plan_free(plan);
}

/* ---- processes ---- */

static int start(const char *const *argv, const char *path)
{
	struct idm_child_options options = IDM_CHILD_OPTIONS_INIT;

	options.path = path;
	options.argv = argv;
	return idm_child_start(&options, &err);
}

static void of_children(void)
{
	static const char *const sh[] = { "sh", "-c", "kill -STOP $$; exit 3", NULL };
	struct idm_exit_info exit;
	int pidfd = start(sh, "/bin/sh");

	tell("a program is started", pidfd >= 0);
	tell("and has not ended", idm_child_wait(pidfd, 0, &exit, &err) < 0);
	tell("its group is asked for", idm_child_signal_group(pidfd, 0, &err) == 0);
	tell("it is killed", idm_child_signal(pidfd, 9, &err) == 0);
	tell("and has ended", idm_child_wait(pidfd, -1, &exit, &err) == 0 && exit.status == 9);
	close(pidfd);
}

static void of_reapers(void)
{
	static const char *const sh[] = { "sh", "-c", "exit 3", NULL };
	static const char *const argv[] = { "/bin/true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_reaper *reaper;
	struct idm_exit_info exit;
	int one, two, pidfd;
	void *data = NULL;

	tell("a reaper is made", idm_reaper_new(&reaper, &err) == 0 && idm_reaper_fd(reaper) >= 0);
	pidfd = start(sh, "/bin/sh");
	tell("it is given a child", idm_reaper_add(reaper, pidfd, 0, &one, &err) == 0);
	tell("of which it tells",
	     idm_reaper_next(reaper, -1, &exit, &data, &err) == 0 && data == &one && exit.status == 3);
	close(pidfd);
	tell("it gets a fork server", idm_reaper_start_forkserver(reaper, 0, NULL, &err) == 0);
	o.path = argv[0];
	o.argv = argv;
	pidfd = idm_reaper_start(reaper, &o, IDM_REAPER_ADD_HOLD, &two, &err);
	tell("which starts a program", pidfd >= 0);
	tell("that is waited for",
	     idm_reaper_wait(reaper, &two, -1, &exit, &err) == 0 && exit.status == 0);
	close(pidfd);
	tell("it refuses to adopt here", idm_reaper_adopt(reaper, 0, NULL, &err) < 0);
	idm_reaper_free(reaper);
}

/* ---- cleanup ---- */

static void of_cleanup(void)
{
	struct idm_userns_cache *cache = NULL;
	struct idm_upper_cache *uppers = NULL;
	struct idm_reaper *reaper = NULL;
	struct idm_plan *plan = NULL;
	struct idm_map *map = NULL;
	int none = -1, fds[2];

	idm_closep(&none);
	tell("everything is made", idm_map_new(&map) == 0 && idm_plan_new(&plan) == 0 &&
					   idm_userns_cache_new(1, &cache, &err) == 0 &&
					   idm_upper_cache_new(&uppers, &err) == 0 &&
					   idm_reaper_new(&reaper, &err) == 0 && pipe(fds) == 0);
	idm_map_freep(&map);
	idm_plan_freep(&plan);
	idm_userns_cache_freep(&cache);
	idm_upper_cache_freep(&uppers);
	idm_reaper_freep(&reaper);
	idm_closep(&fds[1]);
	tell("and released", read(fds[0], &none, sizeof(none)) == 0);
	idm_closep(&fds[0]);
}

int main(void)
{
	struct idm_map *map;

	root = geteuid() == 0;
	tell("there is a library", idm_version()[0] != '\0');
	tell("it makes maps", idm_map_new(&map) == 0);
	of_maps(map);
	of_mounts(map);
	of_defaults();
	of_iterators();
	of_access();
	of_plans();
	of_children();
	of_reapers();
	of_cleanup();
	idm_map_free(map);
	printf("1..%d\n", number);
	return failed;
}
